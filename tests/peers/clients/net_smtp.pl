# Sends one mail with Perl's Net::SMTP. The job is JSON on standard input; see angarium.testing.clients.
use strict;
use warnings;
use Authen::SASL;
use JSON::PP;
use Net::SMTP;

my $job = decode_json(do { local $/; <STDIN> });
my %secure = (SSL_ca_file => $job->{ca}, SSL_verifycn_name => "localhost");
my $smtp = Net::SMTP->new($job->{host}, Port => $job->{port}, SSL => $job->{tls} eq "tls", %secure)
    or die "cannot connect: $@\n";

sub check { $_[0] or die $smtp->code . " " . $smtp->message }

check($smtp->starttls(%secure)) if $job->{tls} eq "starttls";
my $sasl = Authen::SASL->new(
    mechanism => $job->{mechanism},
    callback  => { user => $job->{user}, authname => $job->{user}, pass => $job->{password} },
);
check($job->{mechanism} ? $smtp->auth($sasl) : $smtp->auth($job->{user}, $job->{password}));
check($smtp->mail($job->{sender}));
check($smtp->to(@{ $job->{recipients} }));
my $fields = join "", map { "$_: $job->{headers}{$_}\n" } sort keys %{ $job->{headers} };
my $to = join ", ", @{ $job->{recipients} };
check($smtp->data("From: $job->{sender}\nTo: $to\nSubject: $job->{subject}\n$fields\n$job->{text}\n"));
print "sent\n";
$smtp->quit;
