// CaromDNS
