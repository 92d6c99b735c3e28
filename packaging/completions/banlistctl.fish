# fish completion for banlistctl(1) and banlistd(8)

function __banlistctl_sources
    # The first column of the table, without its head.
    banlistctl sources 2>/dev/null | awk 'NR > 1 { print $1 }'
end

complete -c banlistctl -f
complete -c banlistctl -l runtime -r -a '(__fish_complete_directories)' -d 'folder of the socket'
complete -c banlistctl -l json -d 'print JSON'
complete -c banlistctl -l version -d 'print the version'
complete -c banlistctl -l help -d 'print the options'
complete -c banlistctl -n __fish_use_subcommand -a status -d 'the daemon as a whole, and what fails'
complete -c banlistctl -n __fish_use_subcommand -a sources -d 'each list, what it owns, last and next poll'
complete -c banlistctl -n __fish_use_subcommand -a check -d 'whether an address is banned, and by which list'
complete -c banlistctl -n __fish_use_subcommand -a top -d 'who has most bans'
complete -c banlistctl -n '__fish_seen_subcommand_from top' -l by -x -a 'country asn source' -d 'count by'
complete -c banlistctl -n __fish_use_subcommand -a history -d 'the newest imports'
complete -c banlistctl -n __fish_use_subcommand -a timers -d 'when each list is polled next'
complete -c banlistctl -n __fish_use_subcommand -a protected -d 'what is never banned, and who lists it'
complete -c banlistctl -n __fish_use_subcommand -a ban -d 'ban by hand, at once'
complete -c banlistctl -n __fish_use_subcommand -a unban -d 'lift a ban by hand'
complete -c banlistctl -n __fish_use_subcommand -a bans -d 'what is banned by hand'
complete -c banlistctl -n __fish_use_subcommand -a quarantine -d 'lists that a guard holds back'
complete -c banlistctl -n __fish_use_subcommand -a approve -d 'take a refused list in spite of the guards'
complete -c banlistctl -n __fish_use_subcommand -a refresh -d 'poll lists now'
complete -c banlistctl -n __fish_use_subcommand -a reload -d 'read the configuration again'
complete -c banlistctl -n __fish_use_subcommand -a teardown -d 'take everything out of the firewall'
complete -c banlistctl -n __fish_use_subcommand -a install-units -d 'write the units for this environment'
complete -c banlistctl -n '__fish_seen_subcommand_from history quarantine approve refresh' -a '(__banlistctl_sources)'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l for -x -d 'how long, else for ever'
complete -c banlistctl -n '__fish_seen_subcommand_from ban' -l comment -x -d 'why'
complete -c banlistctl -n '__fish_seen_subcommand_from ban unban' -l origin -x -d 'who wants it'
complete -c banlistctl -n '__fish_seen_subcommand_from top history' -l limit -x -d 'how many'
complete -c banlistctl -n '__fish_seen_subcommand_from teardown' -l config -r -a '(__fish_complete_directories)'
complete -c banlistctl -n '__fish_seen_subcommand_from teardown' -l state -r -a '(__fish_complete_directories)'
complete -c banlistctl -n '__fish_seen_subcommand_from install-units' -l backend -x -a 'ipset fail2ban' -d 'only what it needs besides'
complete -c banlistctl -n '__fish_seen_subcommand_from install-units' -l root -r -a '(__fish_complete_directories)'

complete -c banlistd -f
for folder in config state runtime
    complete -c banlistd -l $folder -r -a '(__fish_complete_directories)'
end
complete -c banlistd -l check -d 'check the configuration'
complete -c banlistd -l once -d 'poll every list once'
complete -c banlistd -l dry-run -d 'print the changes, touch nothing'
complete -c banlistd -l restore -d 'put back what stood last'
complete -c banlistd -l teardown -d 'take everything out of the firewall'
complete -c banlistd -l version -d 'print the version'
