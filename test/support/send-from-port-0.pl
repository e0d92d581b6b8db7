#!/usr/bin/perl
# Sends one UDP datagram that names no source port (RFC 768: zero), as no socket of Node's can. Wants CAP_NET_RAW.
#
#   send-from-port-0.pl SOURCE DESTINATION PORT PAYLOAD-IN-HEX
use strict;
use warnings;
use Socket qw(PF_INET SOCK_RAW IPPROTO_UDP inet_aton sockaddr_in);

my ($source, $destination, $port, $hex) = @ARGV;
my $payload = pack 'H*', $hex;
socket(my $socket, PF_INET, SOCK_RAW, IPPROTO_UDP) or die "socket: $!";
bind($socket, sockaddr_in(0, inet_aton($source))) or die "bind: $!";
# A checksum of zero is none.
my $datagram = pack('nnnn', 0, $port, 8 + length $payload, 0) . $payload;
send($socket, $datagram, 0, sockaddr_in(0, inet_aton($destination))) or die "send: $!";
