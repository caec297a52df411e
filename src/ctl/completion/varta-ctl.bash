# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for varta-ctl(1)

# Names of one column of the observer's own lists; silent when it cannot be asked. Nothing is started for it.
__varta_ctl_ask() {
        varta-ctl "${__varta_ctl_where[@]}" --no-legend --no-pager "$1" 2>/dev/null |
                while read -r first second _; do
                        case $1 in
                        units) printf '%s\n' "$first" ;;
                        list) printf '%s\n' "$first" "pid:$second" ;;
                        esac
                done
}

__varta_ctl_pids() {
        varta-ctl "${__varta_ctl_where[@]}" --no-legend --no-pager list 2>/dev/null |
                while read -r _ pid _; do
                        printf '%s\n' "$pid"
                done
}

_varta_ctl() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        local verbs='status list units show history top monitor metrics forget pause resume recover reload verify cat-config beat decode'
        local alone='-h --help --version --system --user -j --no-pager --no-legend --no-ask-password
                     -q --quiet --stdin --stalled -r --reverse --journal'
        local valued='-H --host -M --machine --socket --json --root --for --reason --status --payload
                      -u --unit --state --sort -n --lines -d --delay --udp --key-file --master-key-file'
        local -a __varta_ctl_where=()
        local word verb='' values=''
        local -i i

        # "--json=sh" comes as three words.
        if [[ $cur == = ]]; then
                cur=
        elif [[ $prev == = ]]; then
                prev=${COMP_WORDS[COMP_CWORD - 2]}
        fi

        case $prev in
        --json) values='short pretty off' ;;
        --status) values='ok degraded critical' ;;
        --state)
                case " ${COMP_WORDS[*]} " in
                *' list '*) values='alive stalled' ;;
                *) values='ok stalled recovering backoff paused gave-up' ;;
                esac
                ;;
        --sort)
                case " ${COMP_WORDS[*]} " in
                *' top '*) values='unit state agents stalled beats restarts' ;;
                *' list '*) values='id pid unit state status last-beat beats payload origin' ;;
                *) values='unit mode state agents stalled restarts last-outcome backoff' ;;
                esac
                ;;
        -u | --unit) values=$(__varta_ctl_ask units) ;;
        -n | --lines) values='all' ;;
        -H | --host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") && return ;;
        -M | --machine)
                values=$(machinectl --no-legend --no-pager list 2>/dev/null | while read -r name _; do echo "$name"; done)
                ;;
        --socket | --key-file | --master-key-file) mapfile -t COMPREPLY < <(compgen -A file -- "$cur") && return ;;
        --root) mapfile -t COMPREPLY < <(compgen -A directory -- "$cur") && return ;;
        --payload | --for | --reason | --udp | -d | --delay) return ;;
        esac
        if [[ -n $values ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
                return
        fi

        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$alone $valued" -- "$cur")
                return
        fi

        for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                case $word in
                --user) __varta_ctl_where+=(--user) ;;
                -H | -M) __varta_ctl_where+=("$word" "${COMP_WORDS[i + 1]}") && i+=1 ;;
                --host | --machine | --socket)
                        [[ ${COMP_WORDS[i + 1]} == = ]] && i+=1
                        __varta_ctl_where+=("$word=${COMP_WORDS[i + 1]}") && i+=1
                        ;;
                -u | -n | -d) i+=1 ;;
                --json | --root | --for | --reason | --status | --payload | --unit | --state | --sort | --lines | --delay | \
                        --udp | --key-file | --master-key-file)
                        [[ ${COMP_WORDS[i + 1]} == = ]] && i+=1
                        i+=1
                        ;;
                -*) ;;
                *) [[ -z $verb ]] && verb=$word ;;
                esac
        done

        case $verb in
        '') values=$verbs ;;
        status) values="$(__varta_ctl_ask units) $(__varta_ctl_pids)" ;;
        forget) values=$(__varta_ctl_ask list) ;;
        list | units | show | history | top | pause | recover) values=$(__varta_ctl_ask units) ;;
        resume) values="brake $(__varta_ctl_ask units)" ;;
        verify) mapfile -t COMPREPLY < <(compgen -A file -- "$cur") && return ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
}

complete -F _varta_ctl varta-ctl
