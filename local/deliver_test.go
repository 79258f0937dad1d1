package local

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/fault"
)

func TestDeliver(t *testing.T) {
	h := newHome(t, "# all kinds\n./Mailbox\n&ann@remote.example\n./Maildir/\n|head\n|cat\nbob@remote.example\n")
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	if got := h.read("Mailbox"); got != inMbox {
		t.Errorf("mbox has %q, want %q", got, inMbox)
	}
	if got := h.folder("Maildir/new"); len(got) != 1 || got[0] != inFolder {
		t.Errorf("maildir has %q, want %q", got, inFolder)
	}
	if got, want := h.out.String(), message+"did 2+2+2\nqp 77\n"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	want := queued{"Fsue@remote.example Tann@remote.example Tbob@remote.example", addedDT + message}
	if len(h.queued) != 1 || h.queued[0] != want {
		t.Errorf("queued %q, want %q", h.queued, want)
	}
	if got := h.folder("Maildir/tmp"); len(got) != 0 {
		t.Errorf("tmp has %q", got)
	}
}

func TestShow(t *testing.T) {
	h := newHome(t, "./Mailbox\n./Maildir/\n|cat  -n \n&ann@remote.example\n")
	h.Message = nil // not looked at
	if err := h.Show(); err != nil {
		t.Fatal(err)
	}
	want := "mbox ./Mailbox\nmaildir ./Maildir/\nprogram cat  -n\nforward ann@remote.example\ndid 2+1+1\n"
	if got := h.out.String(); got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	if h.read("Mailbox") != "(none)" || len(h.ran) > 0 || len(h.queued) > 0 {
		t.Error("something was done")
	}
}

// An instruction that fails ends the delivery; what came before it is done, and
// nothing is forwarded.
func TestDeliverFailures(t *testing.T) {
	tests := []struct {
		name, lines, text string
		perm              bool
	}{
		{"soft program", "|soft", "", false},
		{"hard program", "|hard", "", true},
		{"crashed program", "|crash", "Aack, child crashed. (#4.3.0)", false},
		{"mbox in no folder", "./none/box", "Unable to open ./none/box: file does not exist. (#4.2.1)", false},
		{"no maildir", "./none/", "Unable to chdir to maildir. (#4.2.1)", false},
		{"maildir is a file", "./Mailbox/", "Unable to chdir to maildir. (#4.2.1)", false},
		{"folder without tmp", "./Maildir/new/", "Temporary error on maildir delivery. (#4.3.0)", false},
		{"file where lists are", "+list\n./x", "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)", false},
		{"program where lists are", "+list\n|true", "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, "&ann@remote.example\n./Mailbox\n"+tt.lines+"\n./after\n")
			wantFault(t, h.Deliver(), tt.text, tt.perm)
			if got := h.read("Mailbox"); got != inMbox {
				t.Errorf("mbox before the failure has %q", got)
			}
			if got := h.read("after"); got != "(none)" {
				t.Errorf("mbox after the failure has %q", got)
			}
			if len(h.queued) > 0 || h.out.Len() > 0 {
				t.Errorf("queued %q, said %q", h.queued, h.out.String())
			}
		})
	}
}

func TestStop(t *testing.T) {
	h := newHome(t, "&ann@remote.example\n|stop\n./Mailbox\n&bob@remote.example\n")
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	if h.read("Mailbox") != "(none)" || len(h.queued) != 1 || strings.Contains(h.queued[0].envelope, "bob") {
		t.Errorf("queued %q", h.queued)
	}
	if got := h.out.String(); got != "did 0+1+1\nqp 77\n" {
		t.Errorf("says %q", got)
	}
}

func TestHomes(t *testing.T) {
	tests := []struct {
		name       string
		mode       os.FileMode
		text, warn string
	}{
		{"private", 0o700, "", ""},
		{"group may write", 0o770, "", ""},
		{"others may write", 0o702, "Uh-oh: home directory is writable. (#4.7.0)", ""},
		{"sticky", os.ModeSticky | 0o700, "Home directory is sticky: user is editing his .qmail file. (#4.2.1)", "Warning: home directory is sticky.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, "#\n")
			if err := os.Chmod(h.dir, tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := h.Deliver(); err != nil || tt.text != "" {
				wantFault(t, err, tt.text, false)
			}
			if err := h.Show(); (err != nil) != (tt.text != "" && tt.warn == "") || h.warn.String() != tt.warn {
				t.Errorf("dry run fails with %v, warns %q", err, h.warn.String())
			}
		})
	}
	h := newHome(t, "#\n")
	os.RemoveAll(h.dir)
	wantFault(t, h.Deliver(), "Unable to switch to "+h.dir+": file does not exist. (#4.3.0)", false)
}

func TestNoMailbox(t *testing.T) {
	h := newHome(t, "./Mailbox\n")
	h.To.Local, h.To.Dash, h.To.Ext = "kim-none", "-", "none"
	wantFault(t, h.Deliver(), "Sorry, no mailbox here by that name. (#5.1.1)", true)
	h.Message = strings.NewReader("Delivered-To: kim-none@test.example\n")
	wantFault(t, h.Deliver(), "This message is looping: it already has my Delivered-To line. (#5.4.6)", true)
}

func TestDefaultDelivery(t *testing.T) {
	for _, tt := range []struct{ byDefault, file, want string }{
		{"./Mailbox", "Mailbox", inMbox},
		{"./box\n", "box", inMbox},
		{"|true\n./box", "box", inMbox},
	} {
		h := newHome(t, "")
		h.ByDefault = tt.byDefault
		if err := h.Deliver(); err != nil {
			t.Error(err)
		}
		if got := h.read(tt.file); got != tt.want {
			t.Errorf("default %q leaves %q in %s", tt.byDefault, got, tt.file)
		}
	}
}

// badMessage fails when it is read to the end.
type badMessage struct{ strings.Reader }

func (m *badMessage) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err == io.EOF {
		err = syscall.EIO
	}
	return n, err
}

func TestUnreadableMessage(t *testing.T) {
	read := "Unable to read message: input/output error. (#4.3.0)"
	tests := []struct{ name, lines, header, text string }{
		{"header", "./Mailbox", "", read},
		{"mbox", "./Mailbox", "\n", read},
		{"maildir", "./Maildir/", "\n", "Unable to read message. (#4.3.0)"},
		{"forward", "&ann@remote.example", "\n", read},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, tt.lines)
			h.write("Mailbox", "old\n")
			h.Message = &badMessage{*strings.NewReader(tt.header)}
			wantFault(t, h.Deliver(), tt.text, false)
			if h.read("Mailbox") != "old\n" || len(h.folder("Maildir/new"))+len(h.folder("Maildir/tmp"))+len(h.queued) != 0 {
				t.Error("something was delivered")
			}
		})
	}
	h := newHome(t, "./Mailbox")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	h.Message = r
	wantFault(t, h.Deliver(), "Unable to rewind message. (#4.3.0)", false)
}

func TestForwardFailures(t *testing.T) {
	tests := []struct {
		name string
		err  error
		text string
		perm bool
	}{
		{"for now", fault.Soft("qq out of memory (#4.3.0)", nil), "Unable to forward message: qq out of memory (#4.3.0).", false},
		{"for good", fault.Hard("go away (#5.7.1)"), "Unable to forward message: go away (#5.7.1).", true},
		{"unheard of", errors.New("strange"), "Unable to forward message: qq temporary problem (#4.3.0).", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, "&ann@remote.example\n")
			h.Queue = func([]string) (Submission, error) { return &submission{home: h, err: tt.err}, nil }
			wantFault(t, h.Deliver(), tt.text, tt.perm)
		})
	}
	h := newHome(t, "&ann@remote.example\n")
	h.Queue = func([]string) (Submission, error) { return nil, syscall.ENOMEM }
	wantFault(t, h.Deliver(), "Unable to fork: out of memory. (#4.3.0)", false)
}

func TestForwardSender(t *testing.T) {
	h := newHome(t, "&ann@remote.example\n")
	h.write(".qmail-owner", "")
	h.write(".qmail-owner-default", "")
	var env []string
	h.Queue = func(e []string) (Submission, error) { env = e; return &submission{home: h}, nil }
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	if got, want := h.queued[0].envelope, "Fkim-owner-@test.example-@[] Tann@remote.example"; got != want {
		t.Errorf("forwards with %q, want %q", got, want)
	}
	if !strings.Contains(strings.Join(env, "\n"), "\nNEWSENDER=kim-owner-@test.example-@[]\n") {
		t.Errorf("the queue program's environment is %q", env)
	}
}
