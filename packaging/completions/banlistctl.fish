# fish completion for banlistctl(1) and banlistd(8). Generated from the commands' declarations by packaging/generate.

function __banlistctl_sources
    banlistctl sources 2>/dev/null | awk 'NR > 1 && $2 != "covers" { print $1 }'
end

function __banlistctl_quarantined
    banlistctl quarantine 2>/dev/null | awk -F ': ' '/^[a-z0-9]/ && NF > 1 { print $1 }'
end

function __banlistctl_bans
    banlistctl bans --limit 1000 2>/dev/null | awk 'NR > 1 && $2 != "covers" { print $1 }'
end

complete -c banlistctl -f
complete -c banlistctl -l help -d 'show this help message and exit'
complete -c banlistctl -l version -d 'print the version and exit'
complete -c banlistctl -l runtime -r -a '(__fish_complete_directories)' -d 'folder of the daemon\'s control.sock (default: $RUNTIME_DIRECTORY or /run/banlistd)'
complete -c banlistctl -l json -d 'print the daemon\'s own JSON, for programs'
complete -c banlistctl -n __fish_use_subcommand -a status -d 'the daemon as a whole, and what fails'
complete -c banlistctl -n __fish_use_subcommand -a sources -d 'each source: state, entries, bans it owns, last and next poll'
complete -c banlistctl -n __fish_use_subcommand -a check -d 'whether an address is banned, by which source, since when'
complete -c banlistctl -n __fish_use_subcommand -a top -d 'who has most bans: countries, network operators or sources'
complete -c banlistctl -n __fish_use_subcommand -a history -d 'the newest import runs, of all sources or of one'
complete -c banlistctl -n __fish_use_subcommand -a timers -d 'when each source is polled next'
complete -c banlistctl -n __fish_use_subcommand -a protected -d 'addresses that no source bans, or from which answers pass, to prevent lock-out: why, for how long, and the sources that list them'
complete -c banlistctl -n __fish_use_subcommand -a ban -d 'ban an address, a CIDR network or a range at once'
complete -c banlistctl -n __fish_use_subcommand -a unban -d 'lift a manual ban, or all bans of an origin'
complete -c banlistctl -n __fish_use_subcommand -a bans -d 'manual bans: by whom, why, until when'
complete -c banlistctl -n __fish_use_subcommand -a quarantine -d 'lists that a guard refused: why, since when, and what differs from the last good content'
complete -c banlistctl -n __fish_use_subcommand -a approve -d 'accept the content of a refused list that you have seen, in spite of the guards, without another download'
complete -c banlistctl -n __fish_use_subcommand -a refresh -d 'poll sources now, all or some, and wait for the outcome'
complete -c banlistctl -n __fish_use_subcommand -a reload -d 'read the configuration again; if it is wrong, the old one stays in force'
complete -c banlistctl -n __fish_use_subcommand -a teardown -d 'remove everything of banlistd from the firewall; the daemon must be stopped'
complete -c banlistctl -n __fish_use_subcommand -a install-units -d 'write systemd\'s units, links, manuals and completions for the environment that this program runs from'
complete -c banlistctl -n '__fish_seen_subcommand_from sources' -l failing -d 'only those that failed, were refused or are stale'
complete -c banlistctl -n '__fish_seen_subcommand_from sources' -l sort -x -a 'id state entries elements packets last-poll next-poll' -d 'the largest, the newest or what needs attention first'
complete -c banlistctl -n '__fish_seen_subcommand_from sources' -l limit -x -d '1 to 1000 sources; default: all'
complete -c banlistctl -n '__fish_seen_subcommand_from top' -l by -x -a 'country asn source' -d 'what to count by'
complete -c banlistctl -n '__fish_seen_subcommand_from top' -l limit -x -d '1 to 1000, default 20'
complete -c banlistctl -n '__fish_seen_subcommand_from history' -l limit -x -d '1 to 1000, default 20'
complete -c banlistctl -n '__fish_seen_subcommand_from history' -a '(__banlistctl_sources)'
complete -c banlistctl -n '__fish_seen_subcommand_from protected' -a 'forget'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l for -x -d 'how long: 90s, 15m, 1h, 1d; default: permanently'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l origin -x -d 'in whose name; each origin bans for itself; default: operator'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l comment -x -d 'why, for people'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l force -d 'ban even the address that the own session comes from'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l session -x -d 'where the own session comes from; default: as sshd or logind says'
complete -c banlistctl -n '__fish_seen_subcommand_from unban' -l origin -x -d 'of this origin only; without an address: all its bans'
complete -c banlistctl -n '__fish_seen_subcommand_from unban' -a '(__banlistctl_bans)'
complete -c banlistctl -n '__fish_seen_subcommand_from bans' -l limit -x -d 'one page of 1 to 1000 bans; default: all bans'
complete -c banlistctl -n '__fish_seen_subcommand_from bans' -l after -x -d 'begin after this ban: CREATED_AT|ADDRESS|ORIGIN'
complete -c banlistctl -n '__fish_seen_subcommand_from quarantine' -a '(__banlistctl_quarantined)'
complete -c banlistctl -n '__fish_seen_subcommand_from approve' -l force -d 'accept also what is no list at all: a web page, an error message, an empty list'
complete -c banlistctl -n '__fish_seen_subcommand_from approve' -a '(__banlistctl_quarantined)'
complete -c banlistctl -n '__fish_seen_subcommand_from refresh' -a '(__banlistctl_sources)'
complete -c banlistctl -n '__fish_seen_subcommand_from teardown' -l config -r -a '(__fish_complete_directories)' -d 'as for banlistd'
complete -c banlistctl -n '__fish_seen_subcommand_from teardown' -l state -r -a '(__fish_complete_directories)' -d 'as for banlistd'
complete -c banlistctl -n '__fish_seen_subcommand_from install-units' -l backend -x -a 'ipset fail2ban' -d 'write only the drop-ins that this backend needs'
complete -c banlistctl -n '__fish_seen_subcommand_from install-units' -l remove -d 'remove all of it, but neither configuration nor state'
complete -c banlistctl -n '__fish_seen_subcommand_from install-units' -l root -r -a '(__fish_complete_directories)' -d 'write below this folder instead of /'

complete -c banlistd -f
complete -c banlistd -l help -d 'show this help message and exit'
complete -c banlistd -l config -r -a '(__fish_complete_directories)' -d 'folder of the configuration (default: /etc/banlistd)'
complete -c banlistd -l state -r -a '(__fish_complete_directories)' -d 'folder of the database (default: $STATE_DIRECTORY or /var/lib/banlistd)'
complete -c banlistd -l runtime -r -a '(__fish_complete_directories)' -d 'folder of the control socket (default: $RUNTIME_DIRECTORY or /run/banlistd)'
complete -c banlistd -l verbose -d 'log details on stderr, and run asyncio in debug mode'
complete -c banlistd -l version -d 'print the version and exit'
complete -c banlistd -l check -d 'check the configuration and exit with 0 or 78'
complete -c banlistd -l once -d 'poll every enabled source once, apply, and exit'
complete -c banlistd -l dry-run -d 'as --once, but print the changes and touch nothing'
complete -c banlistd -l restore -d 'restore the last state, without network and configuration'
complete -c banlistd -l teardown -d 'remove everything of banlistd from the firewall, and exit'
