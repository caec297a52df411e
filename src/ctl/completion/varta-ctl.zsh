#compdef varta-ctl
# SPDX-License-Identifier: LGPL-2.1-or-later
# zsh completion for varta-ctl(1)

# Lines of one of the observer's own lists; silent when it cannot be asked. Nothing is started for it.
(( $+functions[_varta_ctl_lines] )) || _varta_ctl_lines() {
        local -a where
        [[ -n ${opt_args[(i)--user]} ]] && where+=(--user)
        [[ -n ${opt_args[-H]} ]] && where+=(-H ${opt_args[-H]})
        [[ -n ${opt_args[-M]} ]] && where+=(-M ${opt_args[-M]})
        [[ -n ${opt_args[--instance]} ]] && where+=(--instance=${opt_args[--instance]})
        _call_program lines varta-ctl $where --no-legend --no-pager $1 2>/dev/null
}

(( $+functions[_varta_ctl_units] )) || _varta_ctl_units() {
        local -a units
        units=(${${(f)"$(_varta_ctl_lines units)"}%% *})
        compadd -a units
}

# Agents, by their column ($1: 1 the id, 2 the pid), with a prefix ($2).
(( $+functions[_varta_ctl_agents] )) || _varta_ctl_agents() {
        local -a agents
        agents=($2${^${(f)"$(_varta_ctl_lines list | while read -r -A columns; do print $columns[$1]; done)"}})
        compadd -a agents
}

# What an option may be given depends on the verb, and so does what comes after the verb.
(( $+functions[_varta_ctl_states] )) || _varta_ctl_states() {
        case ${words[(r)(list|units)]} in
        list) _values -s , state alive stalled ;;
        *) _values -s , state ok stalled recovering backoff paused gave-up ;;
        esac
}

(( $+functions[_varta_ctl_columns] )) || _varta_ctl_columns() {
        case ${words[(r)(list|units|top)]} in
        list) compadd id pid unit state status last-beat beats payload origin ;;
        top) compadd unit state agents stalled beats restarts ;;
        *) compadd unit mode state agents stalled restarts last-outcome backoff ;;
        esac
}

(( $+functions[_varta_ctl_instances] )) || _varta_ctl_instances() {
        local -a sockets
        sockets=(/run/varta/varta@*.sock(N:t:r))
        compadd - ${sockets#varta@}
}

_arguments -C \
        '(- *)'{-h,--help}'[show the help]' \
        '(- *)--version[show the version]' \
        '(--user)--system[talk to the system'\''s observer]' \
        '(--system)--user[talk to the user'\''s own observer]' \
        '(-H --host)'{-H+,--host=}'[talk to another host'\''s observer]:host:_hosts' \
        '(-M --machine)'{-M+,--machine=}'[talk to a local container'\''s observer]:container:_sd_machines' \
        '--instance=[talk to this one of several observers]:instance:_varta_ctl_instances' \
        '--socket=[where the observer listens for beats]:socket:_files' \
        '--json=[write JSON]:mode:(short pretty off)' \
        '-j[write JSON, pretty on a terminal]' \
        '--no-pager[do not use a pager]' \
        '--no-legend[leave out the headings and the count]' \
        '--no-ask-password[do not ask for a password]' \
        '(-q --quiet)'{-q,--quiet}'[leave out remarks]' \
        '*'{-u+,--unit=}'[only these units]:unit:_varta_ctl_units' \
        '--state=[only those in these states]:state:_varta_ctl_states' \
        '--stalled[only what is stalled]' \
        '--sort=[by this column]:column:_varta_ctl_columns' \
        '(-r --reverse)'{-r,--reverse}'[the other way round]' \
        '(-n --lines)'{-n+,--lines=}'[so many events]:number:(all)' \
        '(-d --delay)'{-d+,--delay=}'[between two looks]:span' \
        '--journal[look into the journal, further back]' \
        '--root=[look below this directory]:directory:_directories' \
        '--for=[pause for so long]:span' \
        '--reason=[why it is paused]:reason' \
        '--status=[beat with this status]:status:(ok degraded critical)' \
        '--payload=[beat with this number]:number' \
        '(--socket)--udp=[beat over the network]:host and port' \
        '(--master-key-file)--key-file=[seal with the first key of this file]:file:_files' \
        '(--key-file)--master-key-file=[seal with a key derived from the first one of this file]:file:_files' \
        '--stdin[beat once for every line of standard input]' \
        '1:verb:((
                status\:"show how the fleet is, or units and processes"
                list\:"list agents"
                units\:"list the units of agents and their recovery"
                show\:"show the policy in force and where it is set"
                history\:"show what recovery did, or did not, and why"
                top\:"show the fleet unit by unit, live"
                monitor\:"show what happens, as it happens"
                metrics\:"show what is counted, as Prometheus reads it"
                forget\:"drop agents from the list"
                pause\:"hold recovery back, of something or everything"
                resume\:"let recovery go on, or release the storm brake"
                recover\:"recover a stalled unit now"
                reload\:"have the observer read its configuration again"
                verify\:"check the configuration, or one file of it"
                cat-config\:"show the files of the configuration"
                beat\:"send a heartbeat, or one per line of input"
                decode\:"show what a frame says"
                help\:"show the help"
        ))' \
        '*::argument:->argument'

if [[ $state == argument ]]; then
        case $words[1] in
        status) _varta_ctl_units; _varta_ctl_agents 2 ;;
        list | units | show | history | top | recover) _varta_ctl_units ;;
        forget) _varta_ctl_agents 1; _varta_ctl_agents 2 pid: ;;
        pause) _varta_ctl_units; _varta_ctl_agents 2 pid: ;;
        resume) compadd brake; _varta_ctl_units; _varta_ctl_agents 2 pid: ;;
        verify) _files ;;
        esac
fi

# Whether anything was found, by whatever of the above.
(( compstate[nmatches] > 0 ))
