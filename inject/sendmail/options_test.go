package sendmail

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		line string
		want Command
	}{
		{"sendmail", Command{}},
		// How programs call it.
		{"sendmail -i -FCronDaemon -B8BITMIME -oem root", Command{IgnoreDots: true, Name: "CronDaemon", HasName: true, Args: []string{"root"}}},
		{"sendmail -FCronDaemon -i -odi -oem -oi -t -f user", Command{IgnoreDots: true, FromHeader: true, Name: "CronDaemon", HasName: true, Sender: "user", HasSender: true}},
		{"sendmail -FAnacron -odi user", Command{Name: "Anacron", HasName: true, Args: []string{"user"}}},
		{"sendmail -t -i -fa@b", Command{FromHeader: true, IgnoreDots: true, Sender: "a@b", HasSender: true}},
		{"sendmail -bs -odb -oem", Command{Mode: SMTP}},
		{"sendmail -i -f a@b -- c@d -e@f", Command{IgnoreDots: true, Sender: "a@b", HasSender: true, Args: []string{"c@d", "-e@f"}}},
		{"sendmail -oem -oi -B8BITMIME -f a -N failure,delay -R hdrs -- b", Command{IgnoreDots: true, Sender: "a", HasSender: true, Args: []string{"b"}}},
		{"sendmail -oi -odi -oem -Nsuccess,delay -Vid1 -f  -- b", Command{IgnoreDots: true, HasSender: true, Args: []string{"b"}}},
		{"sendmail -ti -r a", Command{FromHeader: true, IgnoreDots: true, Sender: "a", HasSender: true}},
		{"/usr/sbin/send-mail -bm a", Command{Args: []string{"a"}}},
		{"/usr/bin/mailq", Command{Mode: List}},
		{"mailq -Ac -v", Command{Mode: List}},
		{"newaliases", Command{Mode: Aliases}},
		{"hoststat", Command{Mode: Nothing}},
		{"purgestat", Command{Mode: Nothing}},
		{"sendmail -bv a b", Command{Mode: Explain, Args: []string{"a", "b"}}},
		{"sendmail -bt a", Command{Mode: Explain, Args: []string{"a"}}},
		{"sendmail -bi -oAx", Command{Mode: Aliases}},
		{"sendmail -I", Command{Mode: Aliases}},
		{"sendmail -bp -z", Command{Mode: List}},
		{"sendmail -bd -q30m", Command{Mode: Daemon, RunQueue: true}},
		{"sendmail -bh", Command{Mode: Nothing}},
		{"sendmail -bH", Command{Mode: Nothing}},
		{"sendmail -bl", Command{Mode: Nothing}},
		// The queue.
		{"sendmail -q", Command{Mode: RunQueue, RunQueue: true}},
		{"sendmail -q30m", Command{Mode: RunQueue, RunQueue: true}},
		{"sendmail -qI12 -v", Command{Mode: RunQueue, RunQueue: true}},
		{"sendmail -qRexample.org", Command{Mode: RunQueue, RunQueue: true}},
		{"sendmail -q a", Command{RunQueue: true, Args: []string{"a"}}},
		{"sendmail -t -q", Command{RunQueue: true, FromHeader: true}},
		// Everything else that is accepted.
		{"sendmail -N never -V id -XV -O IgnoreDots=True -C f -h 3 -L tag -n -Am -G -U -d0.1 -D log -s a", Command{NoBounces: true, VERP: "-", IgnoreDots: true, Args: []string{"a"}}},
		{"sendmail -XV+= -X log -Oqueue=x -Cf a", Command{VERP: "+", Args: []string{"a"}}},
		{"sendmail -O IgnoreDots=False -oitrue a", Command{IgnoreDots: true, Args: []string{"a"}}},
		{"sendmail -v -m -x -e q -p esmtp:a -B 7BIT -c -E -Jx -Ex -Qy -AQ a", Command{Args: []string{"a"}}},
		{"sendmail -oMr smtp -oMs host -oMai x -oX a", Command{Args: []string{"a"}}},
		{"sendmail -odb -oee -om -o7 -oAfile -o i a", Command{IgnoreDots: true, Args: []string{"a"}}},
		{"sendmail --read-recipients --from=a@b --read-envelope-from --account=x --file=y", Command{FromHeader: true, Sender: "a@b", HasSender: true}},
		// No options.
		{"sendmail a -t", Command{Args: []string{"a", "-t"}}},
		{"sendmail - a", Command{Args: []string{"-", "a"}}},
	} {
		got, err := Parse(strings.Split(tt.line, " "))
		if len(tt.want.Args) == 0 {
			tt.want.Args = got.Args
		}
		if err != nil && tt.line != "sendmail -bp -z" || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: %v,\n%+v, want\n%+v", tt.line, err, *got, tt.want)
		}
	}
	for line, want := range map[string]string{
		"sendmail -z a":       "illegal option -- z",
		"sendmail -tiK a":     "illegal option -- K",
		"sendmail -bz a":      "illegal mode -- bz",
		"sendmail -t -f":      "option requires an argument -- f",
		"sendmail -Mmd 1":     "illegal option -- M",
		"sendmail --help":     "illegal option -- --help",
		"sendmail -z -y -f x": "illegal option -- z",
	} {
		if _, err := Parse(strings.Split(line, " ")); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	if c, err := Parse(nil); err != nil || c.Mode != Deliver {
		t.Errorf("no argv: %v, %v", c, err)
	}
}

// FuzzParse checks that no word behind -- is ever taken for anything but a
// recipient, and that what is refused is no message that goes nowhere.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"-t", "-f a -i", "-oMr x", "-XV", "-bs", "-z", "--from=x", "-N never -V", "-oi -q30m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := append([]string{"sendmail"}, strings.Fields(line)...)
		c, err := Parse(append(words, "-i", "--", "-a", "b"))
		n := len(c.Args)
		if err == nil && (n < 2 || c.Args[n-1] != "b" || c.Args[n-2] != "-a") {
			t.Errorf("%q: recipients %q", words, c.Args)
		}
	})
}
