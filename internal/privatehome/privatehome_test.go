package privatehome

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeKeepsWhatIsThere(t *testing.T) {
	h := Home{Dir: filepath.Join(t.TempDir(), "home"), Bin: t.TempDir(), User: "joe"}
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	me := filepath.Join(h.Dir, "control/me")
	mail := filepath.Join(h.Mailbox(), "new/1")
	for _, name := range []string{me, mail} {
		if err := os.WriteFile(name, []byte("mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{me, mail} {
		if text, _ := os.ReadFile(name); string(text) != "mine\n" {
			t.Errorf("%s is now %q", name, text)
		}
	}
}

func TestUserName(t *testing.T) {
	for account, want := range map[string]string{"joe": "joe", "Joe.Doe": "joedoe", "": "you", "ü:\n": "you", "a_b-1": "a_b-1"} {
		if got := UserName(account); got != want {
			t.Errorf("UserName(%q) = %q, want %q", account, got, want)
		}
	}
}
