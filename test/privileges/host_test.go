package privileges

import (
	"testing"
	"time"

	"goqmail/internal/testhost"
)

// The users and groups of the host that the tests run on, and its home.
const (
	alias  = testhost.Alias
	qmaild = testhost.Qmaild
	qmaill = testhost.Qmaill
	qmailp = testhost.Qmailp
	qmailq = testhost.Qmailq
	qmailr = testhost.Qmailr
	qmails = testhost.Qmails
	pat    = testhost.Pat
	eve    = testhost.Eve

	nofiles = testhost.Nofiles
	qmail   = testhost.Qmail
	wheel   = testhost.Wheel

	home = testhost.Home
)

// patience is after how long a test gives up: long, as it only says that the test
// has failed.
const patience = 2 * time.Minute

// onHost runs the rest of a test on a host of its own. It reports whether this is the
// process that is to go on.
func onHost(t *testing.T) bool {
	t.Helper()
	program, err := tryer()
	must(t, err)
	return testhost.On(t, "TRY_PROGRAM="+program)
}

func must(t *testing.T, err error) {
	t.Helper()
	testhost.Must(t, err)
}
