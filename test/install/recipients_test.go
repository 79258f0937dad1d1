package install

import "testing"

// TestRecipients asks a new installation for recipients of all kinds, by SMTP as the
// user qmaild: those that there are are taken, and no others, as far as qmaild can see.
func TestRecipients(t *testing.T) {
	t.Parallel()
	run(t, newHost(t), "recipients.sh")
}
