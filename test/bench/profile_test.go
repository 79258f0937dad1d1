package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/queue"
)

// TestProfile has a program that stays, built to be profiled, write a profile.
func TestProfile(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "qmail-clean")
	build := exec.Command("go", "build", "-tags", "profile", "-o", program, "goqmail/cmd/qmail-clean")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := queue.Make(filepath.Join(folder, "queue"), 1); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(folder, "local")
	if err := os.Mkdir(into, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "GOQMAIL_PROFILE="+into, "QMAILHOME="+folder)
	cmd.Stdin = strings.NewReader("")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("qmail-clean: %v: %s", err, out)
	}
	if err := printProfiles(t.Context(), "local", into); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(into, "qmail-clean.pprof")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(into + "/*"); len(left) != 1 {
		t.Errorf("the parts of the profile are left: %q", left)
	}
}

func TestSamplesIn(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Duration: 9.72s, Total samples = 470ms ( 4.84%)\n": 470 * time.Millisecond,
		"Duration: 9.72s, Total samples = 2.47s (25.42%)\n": 2470 * time.Millisecond,
		"Duration: 9mins, Total samples = 1.5mins (16%)\n":  90 * time.Second,
		"Duration: 9.72s, Total samples = 0 \n":             0,
		"":                                                  0,
	} {
		if got := samplesIn(text); got != want {
			t.Errorf("samplesIn(%q) = %v, want %v", text, got, want)
		}
	}
}
