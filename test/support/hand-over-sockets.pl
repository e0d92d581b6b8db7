#!/usr/bin/perl
# Opens UDP sockets as systemd does for a socket unit (BindToDevice=, Broadcast=yes), puts them from descriptor 3 on, and
# becomes the program that they are for. Perl, since Node can neither bind to a device nor replace itself, and every
# Debian has it.
#
#   hand-over-sockets.pl NAME,ADDRESS,PORT,DEVICE ... -- PROGRAM ARG ...
use strict;
use warnings;
use POSIX ();
use Socket qw(PF_INET SOCK_DGRAM SOL_SOCKET SO_REUSEADDR SO_BROADCAST inet_aton sockaddr_in);
use constant SO_BINDTODEVICE => 25;

$^F = 255;    # descriptors up to here stay open over exec
my (@names, @sockets);
while (@ARGV and (my $spec = shift @ARGV) ne '--') {
    my ($name, $address, $port, $device) = split /,/, $spec;
    socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or die "SO_REUSEADDR: $!";
    setsockopt($socket, SOL_SOCKET, SO_BROADCAST, 1) or die "SO_BROADCAST: $!";
    setsockopt($socket, SOL_SOCKET, SO_BINDTODEVICE, "$device\0") or die "SO_BINDTODEVICE $device: $!" if $device ne '';
    bind($socket, sockaddr_in($port, inet_aton($address))) or die "bind $address:$port: $!";
    push @names, $name;
    push @sockets, $socket;
}
# First out of the way, then to their places: one may stand where another is to go.
my @moved;
for my $index (0 .. $#sockets) {
    POSIX::dup2(fileno($sockets[$index]), 100 + $index) or die "dup2: $!";
    push @moved, 100 + $index;
}
for my $index (0 .. $#moved) {
    POSIX::dup2($moved[$index], 3 + $index) or die "dup2: $!";
    POSIX::close($moved[$index]);
}
for my $left (3 + @moved .. 60) { POSIX::close($left) }
$ENV{LISTEN_PID} = $$;
$ENV{LISTEN_FDS} = scalar @names;
$ENV{LISTEN_FDNAMES} = join ':', @names;
exec { $ARGV[0] } @ARGV or die "exec $ARGV[0]: $!";
