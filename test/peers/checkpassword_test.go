package peers

import (
	"os/exec"
	"strings"
)

// checkpassword returns a checkpassword program, as a Debian host can have one: it
// knows joe, whose password is secret, by the password itself, by APOP and by
// CRAM-MD5.
func (h *host) checkpassword() string {
	h.t.Helper()
	perl := installed(h.t, "perl")
	if err := exec.Command(perl, "-MDigest::MD5", "-e1").Run(); err != nil {
		h.t.Skip("perl has no Digest::MD5")
	}
	return h.file("checkpassword", strings.NewReplacer("PERL", perl, "HOME", h.path("joe")).Replace(`#!PERL
use Digest::MD5 qw(md5 md5_hex);
open(my $in, '<&=', 3) or exit 2;
my ($user, $given, $challenge) = split /\0/, join('', <$in>), -1;
close $in;
my $key = 'secret' . "\0" x (64 - length 'secret');
my $hmac = md5_hex(($key ^ "\x5c" x 64) . md5(($key ^ "\x36" x 64) . $challenge));
exit 1 unless $user eq 'joe' and
	($given eq 'secret' or $challenge ne '' and ($given eq md5_hex($challenge . 'secret') or $given eq $hmac));
@ENV{'USER', 'HOME', 'SHELL'} = ('joe', 'HOME', '/bin/sh');
chdir 'HOME' or exit 111;
exec { $ARGV[0] } @ARGV or exit 111;
`))
}

// smtpusers makes a password file in which joe has the same password, kept as a
// verifier, and ann has it as it is.
func (h *host) smtpusers() {
	h.t.Helper()
	for _, args := range [][]string{{"joe"}, {"-p", "ann"}} {
		cmd := h.command("qmail-smtppasswd", args...)
		cmd.Stdin = strings.NewReader("secret\n")
		if code, out := h.run(cmd); code != 0 {
			h.t.Fatalf("qmail-smtppasswd exits with %d: %s", code, out)
		}
	}
}
