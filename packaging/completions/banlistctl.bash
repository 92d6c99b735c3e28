# bash completion for banlistctl(1) and banlistd(8)

_banlistctl_sources() {
    # The first column of the table, without its head.
    banlistctl sources 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_banlistctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in [a-z]*) command=$word && break ;; esac
    done
    case $previous in
    --runtime | --state | --config | --root)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    esac
    local words
    case $command in
    "") words="status sources check top history timers protected ban unban bans quarantine approve refresh reload teardown install-units --version" ;;
    top) words="--by country asn source --limit" ;;
    history) words="--limit $(_banlistctl_sources)" ;;
    ban) words="--for --origin --comment" ;;
    unban) words="--origin" ;;
    quarantine | approve | refresh) words=$(_banlistctl_sources) ;;
    teardown) words="--config --state" ;;
    install-units) words="--backend ipset fail2ban --root" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words --runtime --json --help" -- "$current")
}

_banlistd() {
    local current=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --runtime | --state | --config) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *)
        local words="--config --state --runtime --check --once --dry-run --restore --teardown --version --help"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        ;;
    esac
}

complete -F _banlistctl banlistctl
complete -F _banlistd banlistd
