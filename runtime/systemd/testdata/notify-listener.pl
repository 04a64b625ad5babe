# Stands for the service manager: prints each message of sd_notify(3) that comes to the socket it makes.
use strict;
use warnings;
use Socket;
my ($path) = @ARGV;
socket my $socket, PF_UNIX, SOCK_DGRAM, 0 or die $!;
bind $socket, pack_sockaddr_un($path) or die $!;
chmod 0777, $path;
$| = 1;
while ( defined recv $socket, my $message, 65536, 0 ) {
    $message =~ tr/\n/\t/;
    print "$message\n";
}
