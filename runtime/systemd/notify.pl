#!/usr/bin/perl
# Passes each line of standard input on to the service manager as one message of sd_notify(3), tabs made into line
# ends. Node has no datagram sockets of the unix family; perl-base is Essential on Debian. It lives as long as the
# program that speaks: a message whose sender is gone already may not be attributed to the unit.
use strict;
use warnings;
use Socket;

my $path = $ENV{NOTIFY_SOCKET} // die "NOTIFY_SOCKET is not set\n";
$path =~ s/^@/\0/;
socket my $socket, PF_UNIX, SOCK_DGRAM, 0 or die "Cannot open a socket: $!\n";
my $address = pack_sockaddr_un($path);
while ( my $line = <STDIN> ) {
    chomp $line;
    $line =~ tr/\t/\n/;
    defined send $socket, $line, 0, $address or warn "Cannot notify: $!\n";
}
