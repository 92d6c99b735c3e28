-- Which packets a ban is of, as JSON: interfaces, interfaces that are excepted, ports, protocols, new connections only; NULL: all.
ALTER TABLE manual_bans ADD COLUMN scope TEXT;
