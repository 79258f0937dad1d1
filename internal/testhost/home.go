package testhost

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/testbin"
	"goqmail/queue"
)

// makeHome makes /var/qmail with qmail's owners and modes.
func makeHome(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"bin", "control", "users", "alias"} {
		Must(t, os.MkdirAll(filepath.Join(Home, dir), 0o755))
		Must(t, os.Chmod(filepath.Join(Home, dir), 0o755))
	}
	Must(t, os.Chmod(Home, 0o755))
	Must(t, os.Chown(filepath.Join(Home, "alias"), Alias, Qmail))
	bin, err := testbin.Dir()
	Must(t, err)
	programs, err := filepath.Glob(filepath.Join(bin, "*"))
	Must(t, err)
	for _, program := range programs {
		data, err := os.ReadFile(program)
		Must(t, err)
		Place(t, filepath.Base(program), data)
	}
	Must(t, os.Chown(filepath.Join(Home, "bin/qmail-queue"), Qmailq, Qmail))
	Must(t, os.Chmod(filepath.Join(Home, "bin/qmail-queue"), 0o711|os.ModeSetuid))
	Must(t, os.WriteFile(filepath.Join(Home, "control/me"), []byte("here.test\n"), 0o644))
	MakeQueue(t)
}

// MakeQueue makes an empty queue in the home.
func MakeQueue(t *testing.T) {
	t.Helper()
	top := filepath.Join(Home, "queue")
	Must(t, queue.Make(top, queue.DefaultSplit))
	owners := map[string]int{
		"bounce": Qmails, "info": Qmails, "local": Qmails, "remote": Qmails,
		"lock/sendmutex": Qmails, "lock/trigger": Qmails, "lock/send": Qmails, "lock/tcpto": Qmailr,
	}
	Must(t, filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		below := strings.TrimPrefix(strings.TrimPrefix(name, top), "/")
		uid := Qmailq
		for prefix, owner := range owners {
			if below == prefix || strings.HasPrefix(below, prefix+"/") {
				uid = owner
			}
		}
		return errors.Join(err, os.Lchown(name, uid, Qmail))
	}))
}
