# bash completion for banlistctl(1) and banlistd(8). Generated from the commands' declarations by packaging/generate.

_banlistctl_sources() {
    banlistctl sources 2>/dev/null | awk 'NR > 1 && $2 != "covers" { print $1 }'
}

_banlistctl_quarantined() {
    banlistctl quarantine 2>/dev/null | awk -F ': ' '/^[a-z0-9]/ && NF > 1 { print $1 }'
}

_banlistctl_bans() {
    banlistctl bans --limit 1000 2>/dev/null | awk 'NR > 1 && $2 != "covers" { print $1 }'
}

_banlistctl_allows() {
    banlistctl allowed 2>/dev/null | awk '$2 == "command" { print $1 }'
}

_banlistctl() {
    # The whole word: bash takes an IPv6 address for several.
    local current=${COMP_LINE:0:COMP_POINT} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word words
    current=${current##* }
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in [a-z]*) command=$word && break ;; esac
    done
    case "$command $previous" in
    *" --runtime") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "sources --sort") words="id state entries elements packets last-poll next-poll" ;;
    "sources --limit") words="" ;;
    "check --at") words="" ;;
    "top --by") words="country asn source hits" ;;
    "top --limit") words="" ;;
    "report --since") words="" ;;
    "report --html") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "hits --limit") words="" ;;
    "hits --after") words="" ;;
    "history --limit") words="" ;;
    "versions --limit") words="" ;;
    "diff --from") words="" ;;
    "diff --to") words="" ;;
    "diff --limit") words="" ;;
    "rollback --to") words="" ;;
    "events --limit") words="" ;;
    "events --after") words="" ;;
    "events --wait") words="" ;;
    "export --format") words="plain cidr json nft ipset routeros unbound-rpz" ;;
    "export --after") words="" ;;
    "metrics --format") words="prometheus openmetrics" ;;
    "fleet hold --version") words="" ;;
    "fleet hold --reason") words="" ;;
    "fleet release --version") words="" ;;
    "ban --for") words="" ;;
    "ban --confirm") words="" ;;
    "ban --origin") words="" ;;
    "ban --comment") words="" ;;
    "ban --prefix6") words="" ;;
    "ban --ports") words="" ;;
    "ban --protocols") words="" ;;
    "ban --interfaces") words="" ;;
    "ban --except-interfaces") words="" ;;
    "ban --connections") words="all new" ;;
    "ban --session") words="" ;;
    "unban --prefix6") words="" ;;
    "unban --origin") words="" ;;
    "bans --limit") words="" ;;
    "bans --after") words="" ;;
    "allow --for") words="" ;;
    "allow --comment") words="" ;;
    "reload --lift") words="" ;;
    "reload --confirm") words="" ;;
    "nodes admit --site") words="" ;;
    "nodes admit --key") words="" ;;
    "nodes admit --own") words="" ;;
    "catalogue --good-for") words="attacks ssh web mail ftp voip dns telnet scanners spam malware hijacked bogons tor proxies vpn hosting aggregate resolvers cdn cloud bots monitoring payment services updates" ;;
    "catalogue --direction") words="in out" ;;
    "catalogue --state") words="alive deprecated dead" ;;
    "catalogue --commercial") words="yes no unknown" ;;
    "catalogue --purpose") words="ban allow" ;;
    "catalogue search --good-for") words="attacks ssh web mail ftp voip dns telnet scanners spam malware hijacked bogons tor proxies vpn hosting aggregate resolvers cdn cloud bots monitoring payment services updates" ;;
    "catalogue search --direction") words="in out" ;;
    "catalogue search --state") words="alive deprecated dead" ;;
    "catalogue search --commercial") words="yes no unknown" ;;
    "catalogue search --purpose") words="ban allow" ;;
    "add --id") words="" ;;
    "add --action") words="drop reject log count none" ;;
    "add --every") words="" ;;
    "add --lift") words="" ;;
    "add --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "enable --lift") words="" ;;
    "enable --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "disable --lift") words="" ;;
    "disable --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "remove --lift") words="" ;;
    "remove --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "promote --action") words="drop reject" ;;
    "promote --lift") words="" ;;
    "promote --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "order --key") words="" ;;
    "order --fleet") words="" ;;
    "order --valid") words="" ;;
    "order --for") words="" ;;
    "order --comment") words="" ;;
    "order --origin") words="" ;;
    "order --confirm") words="" ;;
    "order --prefix6") words="" ;;
    "order --hash") words="" ;;
    "order --version") words="" ;;
    "order --reason") words="" ;;
    "fleet new-key --role") words="root targets hub" ;;
    "fleet new-key --name") words="" ;;
    "fleet new-key --passphrase-file") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet new-key --token") words="" ;;
    "fleet new-key --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "fleet init --name") words="" ;;
    "fleet init --root-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet init --targets-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet init --hub-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet init --threshold") words="" ;;
    "fleet init --hub-threshold") words="" ;;
    "fleet sign --key") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet sign --passphrase-file") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet sign --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "fleet rotate --without") words="" ;;
    "fleet rotate --root-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet rotate --targets-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet rotate --hub-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet rotate --hub-threshold") words="" ;;
    "fleet revoke --root-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet revoke --targets-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet revoke --hub-keys") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet revoke --hub-threshold") words="" ;;
    "fleet install --state") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "fleet promote --state") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "fleet promote --from") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "fleet promote --ca") mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
    "fleet join --folder") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "teardown --config") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "teardown --state") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    "install-units --backend") words="ipset fail2ban" ;;
    "install-units --root") mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
    *)
        case $command in
        "") words="status sources check top report promotion hits history versions diff rollback events notify export timers health metrics fleet protected ban unban bans allow disallow allowed quarantine approve pause resume pin unpin refresh reload confirm nodes sightings catalogue add enable disable remove promote prove operator-key order teardown install-units --version" ;;
        status) words="--verdict" ;;
        sources) words="--failing --sort --limit $(_banlistctl_sources)" ;;
        check) words="--at --history" ;;
        top) words="--by --limit" ;;
        report) words="--past --since --html $(_banlistctl_sources)" ;;
        promotion) words="$(_banlistctl_sources)" ;;
        hits) words="--limit --after $(_banlistctl_sources)" ;;
        history) words="--limit $(_banlistctl_sources)" ;;
        versions) words="--limit $(_banlistctl_sources)" ;;
        diff) words="--from --to --limit $(_banlistctl_sources)" ;;
        rollback) words="--to $(_banlistctl_sources)" ;;
        events) words="--limit --follow --after --wait $(_banlistctl_sources)" ;;
        notify) words="--test" ;;
        export) words="--format --after $(_banlistctl_sources)" ;;
        metrics) words="--format" ;;
        fleet) words="root hold release steps new-key init keys sign rotate revoke install promote join" ;;
        protected) words="--holes forget" ;;
        ban) words="--for --confirm --origin --comment --prefix6 --ports --protocols --interfaces --except-interfaces --connections --keep --force --session" ;;
        unban) words="--prefix6 --origin $(_banlistctl_bans)" ;;
        bans) words="--limit --after" ;;
        allow) words="--for --comment" ;;
        disallow) words="$(_banlistctl_allows)" ;;
        quarantine) words="$(_banlistctl_quarantined)" ;;
        approve) words="--force $(_banlistctl_quarantined)" ;;
        pause) words="$(_banlistctl_sources)" ;;
        resume) words="$(_banlistctl_sources)" ;;
        pin) words="$(_banlistctl_sources)" ;;
        unpin) words="$(_banlistctl_sources)" ;;
        refresh) words="--now $(_banlistctl_sources)" ;;
        reload) words="--lift --confirm" ;;
        confirm) words="$(_banlistctl_bans)" ;;
        nodes) words="admit suspend forget" ;;
        catalogue) words="--good-for --direction --state --commercial --purpose search show credits" ;;
        add) words="--id --action --every --yes --lift --config" ;;
        enable) words="--lift --config $(_banlistctl_sources)" ;;
        disable) words="--lift --config $(_banlistctl_sources)" ;;
        remove) words="--lift --config $(_banlistctl_sources)" ;;
        promote) words="--action --write --lift --config $(_banlistctl_sources)" ;;
        operator-key) words="--show" ;;
        order) words="--key --fleet --valid --for --comment --origin --confirm --prefix6 --hash --force --version --keep --reason --now" ;;
        teardown) words="--config --state" ;;
        install-units) words="--backend --remove --root" ;;
        esac
        words="$words --help --runtime --json"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    # Of a word with colons bash replaces only what follows the last of them.
    [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    return 0
}

_banlistd() {
    local current=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config | --state | --runtime) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "--help --config --state --runtime --verbose --version --check --once --dry-run --restore --teardown" -- "$current") ;;
    esac
}

complete -F _banlistctl banlistctl
complete -F _banlistd banlistd
