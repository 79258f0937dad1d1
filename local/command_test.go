package local

import (
	"io"
	"os"
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"USER": "kim", "HOME": dir, "LOCAL": "kim-x", "EXT": "x", "HOST": "test.example", "SENDER": "sue@remote.example",
	} {
		t.Setenv(name, value)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		io.WriteString(w, message)
		w.Close()
	}()
	d, err := Command(ThisHost(), r, os.Stdout, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir}
	d.Queue = func([]string) (Submission, error) { return &submission{home: h}, nil }
	if qp, err := d.Carry("", "x"); qp != 0 || err != nil {
		t.Errorf("no lines: %d, %v", qp, err)
	}
	qp, err := d.Carry("&ann@remote.example\n|cat >\"$HOME/$EXT\"\n&bob@remote.example\n"+dir+"/box", "owner@test.example")
	if qp != 77 || err != nil {
		t.Fatalf("%d, %v", qp, err)
	}
	want := queued{"Fowner@test.example Tann@remote.example Tbob@remote.example", "Delivered-To: kim-x@test.example\n" + message}
	if len(h.queued) != 1 || h.queued[0] != want {
		t.Errorf("queued %q, want %q", h.queued, want)
	}
	if got := h.read("x"); got != message {
		t.Errorf("the program read %q", got)
	}
	if got := h.read("box"); !strings.HasSuffix(got, "\nDelivered-To: kim-x@test.example\n"+message+"\n") {
		t.Errorf("mbox has %q", got)
	}
	d.Message = strings.NewReader("Delivered-To: kim-x@test.example\n\n")
	_, err = d.Carry("|exit 1", "")
	wantFault(t, err, "This message is looping: it already has my Delivered-To line. (#5.4.6)", true)
	os.Unsetenv("SENDER")
	_, err = Command(ThisHost(), r, os.Stdout, os.Stderr)
	wantFault(t, err, "SENDER not set", true)
}
