#!/usr/bin/perl
# Opens the boot sockets bound to one interface, and becomes the given command, which inherits them:
#
#     perl launch.pl [--sockets=dhcp,pxe,tftp] INTERFACE COMMAND [ARGUMENT...]
#
# Node cannot bind a UDP socket to a device, and a socket on 0.0.0.0 hears every interface. This follows systemd's
# protocol (sd_listen_fds(3)): sockets from descriptor 3 on, LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID. Perl, because
# perl-base is Essential on Debian. The process id stays the same.
use strict;
use warnings;
use Fcntl;
use POSIX ();
use Socket;

# SO_BINDTODEVICE of Linux; the Socket module of perl-base does not name it everywhere.
my $bind_to_device = 25;
my @ports = ( [ dhcp => 67 ], [ pxe => 4011 ], [ tftp => 69 ] );

# Only the named ones: a socket that nobody reads would still take packets away from another server of this machine.
if ( @ARGV && $ARGV[0] =~ /^--sockets=([a-z,]+)$/ ) {
    my %wanted = map { $_ => 1 } split /,/, $1;
    @ports = grep { $wanted{ $_->[0] } } @ports;
    shift @ARGV;
}
my ( $interface, @command ) = @ARGV;
die "usage: launch.pl [--sockets=NAME,...] INTERFACE COMMAND [ARGUMENT...]\n" unless @command;

my @sockets = map { open_socket(@$_) } @ports;

# All are copied above the wanted numbers before any is put there, so that none is overwritten. dup2 leaves
# close-on-exec clear; the first descriptors have it set, as all that perl opens above 2.
my @high = map { fcntl $_, F_DUPFD, 100 or die "Cannot copy a socket: $!\n" } @sockets;
for my $index ( 0 .. $#high ) {
    POSIX::dup2( $high[$index], 3 + $index ) // die "Cannot pass socket $ports[$index][0]: $!\n";
}
POSIX::close($_) for @high;

$ENV{LISTEN_FDS}     = scalar @ports;
$ENV{LISTEN_FDNAMES} = join ':', map { $_->[0] } @ports;
$ENV{LISTEN_PID}     = $$;
exec { $command[0] } @command or die "Cannot start $command[0]: $!\n";

sub open_socket {
    my ( $name, $port ) = @_;
    socket my $socket, PF_INET, SOCK_DGRAM, 0 or die "Cannot open socket $name: $!\n";
    my @options = ( [ SO_REUSEADDR, pack 'i', 1 ], [ SO_BROADCAST, pack 'i', 1 ], [ $bind_to_device, "$interface\0" ] );
    for my $option (@options) {
        setsockopt $socket, SOL_SOCKET, $option->[0], $option->[1]
            or die "Cannot bind socket $name to interface $interface: $!\n";
    }
    bind $socket, pack_sockaddr_in( $port, INADDR_ANY ) or die "Cannot bind UDP port $port on $interface: $!\n";
    return $socket;
}
