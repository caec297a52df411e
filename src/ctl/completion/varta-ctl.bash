# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for varta-ctl(1)
#
# bash cuts the line at "=", ":" and "@" as well as at blanks, and units and pid:N have those inside. So the line is read here
# by its blanks alone, and what bash counts as already typed is taken off the answers.

# The n-th column of one of the observer's own lists; silent when it cannot be asked. Nothing is started for it.
__varta_ctl_column() {
        varta-ctl "${where[@]}" --no-legend --no-pager "$1" 2>/dev/null |
                while read -r -a columns; do
                        printf '%s\n' "${columns[$2]}"
                done
}

# Processes, as they are named where units are, too.
__varta_ctl_pids() {
        __varta_ctl_column list 1 | while read -r pid; do echo "pid:$pid"; done
}

# What an option may be given.
__varta_ctl_values() {
        case $1 in
        --json) echo 'short pretty off' ;;
        --status) echo 'ok degraded critical' ;;
        --state)
                case $verb in
                list) echo 'alive stalled' ;;
                *) echo 'ok stalled recovering backoff paused gave-up' ;;
                esac
                ;;
        --sort)
                case $verb in
                top) echo 'unit state agents stalled beats restarts' ;;
                list) echo 'id pid unit state status last-beat beats payload origin' ;;
                *) echo 'unit mode state agents stalled restarts last-outcome backoff' ;;
                esac
                ;;
        -u | --unit) __varta_ctl_column units 0 ;;
        -n | --lines) echo all ;;
        -H | --host) compgen -A hostname ;;
        -M | --machine) machinectl --no-legend --no-pager list 2>/dev/null | while read -r name _; do echo "$name"; done ;;
        --instance)
                for instance in /run/varta/varta@*.sock; do
                        [[ -S $instance ]] && instance=${instance#*@} && echo "${instance%.sock}"
                done
                ;;
        --socket | --key-file | --master-key-file) compgen -A file -- "$typed" ;;
        --root) compgen -A directory -- "$typed" ;;
        esac
}

# What a verb may be given.
__varta_ctl_arguments() {
        case $1 in
        status) __varta_ctl_column units 0 && __varta_ctl_column list 1 ;;
        list | units | show | history | top | recover) __varta_ctl_column units 0 ;;
        pause) __varta_ctl_column units 0 && __varta_ctl_pids ;;
        resume) echo brake && __varta_ctl_column units 0 && __varta_ctl_pids ;;
        forget) __varta_ctl_column list 0 && __varta_ctl_pids ;;
        verify) compgen -A file -- "$typed" ;;
        esac
}

_varta_ctl() {
        local verbs='status list units show history top monitor metrics forget pause resume recover reload verify cat-config beat decode help'
        local alone='-h --help --version --system --user -j --no-pager --no-legend --no-ask-password
                     -q --quiet --stdin --stalled -r --reverse --journal'
        local valued='-H --host -M --machine --socket --instance --json --root --for --reason --status --payload
                      -u --unit --state --sort -n --lines -d --delay --udp --key-file --master-key-file'
        local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]}
        local typed option='' verb='' values instance
        local -a words where=()
        local -i i skip

        read -r -a words <<<"$line"
        [[ $line == *[[:blank:]] ]] && words+=('')
        typed=${words[${#words[@]} - 1]}

        for ((i = 1; i < ${#words[@]} - 1; i++)); do
                option=
                case ${words[i]} in
                --user | --host=* | --machine=* | --socket=* | --instance=*) where+=("${words[i]}") ;;
                -H | -M | --host | --machine | --socket | --instance) where+=("${words[i]}" "${words[i + 1]}") ;;&
                -*) [[ " ${valued//[[:space:]]/ } " == *" ${words[i]} "* ]] && option=${words[i]} && i+=1 ;;
                *) [[ -z $verb ]] && verb=${words[i]} ;;
                esac
        done
        # An option whose value stands before the cursor is done with.
        ((i == ${#words[@]} - 1)) && option=

        if [[ $typed == --*=* ]]; then
                option=${typed%%=*} typed=${typed#*=}
        fi
        if [[ -n $option ]]; then
                values=$(__varta_ctl_values "$option")
        elif [[ $typed == -* ]]; then
                values="$alone $valued"
        elif [[ -z $verb ]]; then
                values=$verbs
        else
                values=$(__varta_ctl_arguments "$verb")
        fi
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$typed")

        # "=" and ":" end what bash takes for typed; "@" begins what it completes, even where it cuts there.
        [[ $cur == [=:] ]] && cur=
        [[ $typed == *"@$cur" ]] && cur=@$cur
        skip=$((${#typed} - ${#cur}))
        for i in "${!COMPREPLY[@]}"; do
                if ((skip > 0)); then
                        COMPREPLY[i]=${COMPREPLY[i]:skip}
                else
                        COMPREPLY[i]=${cur:0:-skip}${COMPREPLY[i]}
                fi
        done
}

complete -F _varta_ctl varta-ctl
