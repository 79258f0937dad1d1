package ids

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	files := Files{filepath.Join(dir, "passwd"), filepath.Join(dir, "group")}
	os.WriteFile(files.Passwd, []byte("root:x:0:0::/root:/bin/sh\nqmailq2:x:9:9::/:\nqmailq:x:801:801::/var/qmail:/bin/false\nbad:x\n"), 0o644)
	os.WriteFile(files.Group, []byte("nofiles:x:800:\nqmail:x:801:\nbroken\nkeys:x:802:www,qmailr\nqmailrs:x:803:qmailrs\nodd:x:y:qmailr\nmore:x:804:qmailr\n"), 0o644)
	if uid, err := files.UID("qmailq"); uid != 801 || err != nil {
		t.Errorf("UID(qmailq) = %d, %v, want 801", uid, err)
	}
	if gid, err := files.GID("qmail"); gid != 801 || err != nil {
		t.Errorf("GID(qmail) = %d, %v, want 801", gid, err)
	}
	if groups, err := files.GroupsOf("qmailr"); !slices.Equal(groups, []int{802, 804}) || err != nil {
		t.Errorf("GroupsOf(qmailr) = %d, %v, want 802 and 804", groups, err)
	}
	if groups, err := files.GroupsOf("qmails"); len(groups) > 0 || err != nil {
		t.Errorf("GroupsOf(qmails) = %d, %v, want none", groups, err)
	}
	if _, err := files.UID("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("UID(nobody) fails with %v, want ErrUnknown", err)
	}
	if _, err := files.UID("bad"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("UID(bad) fails with %v, want another error than ErrUnknown", err)
	}
	if _, err := (Files{Passwd: dir}).UID("nobody"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("UID(nobody) in what cannot be read fails with %v, want another error than ErrUnknown", err)
	}
	if name, err := files.Login(801); name != "qmailq" || err != nil {
		t.Errorf("Login(801) = %q, %v, want qmailq", name, err)
	}
	if _, err := files.Login(5); !errors.Is(err, ErrUnknown) {
		t.Errorf("Login(5) fails with %v, want ErrUnknown", err)
	}
	if name, err := files.Name(801, "alias", "qmailq"); name != "qmailq" || err != nil {
		t.Errorf("Name(801) = %q, %v, want qmailq", name, err)
	}
	if name, err := files.Name(5, Users[:]...); name != "" || err != nil {
		t.Errorf("Name(5) = %q, %v, want none", name, err)
	}
	if _, err := (Files{Passwd: filepath.Join(dir, "none")}).Name(1, "alias"); err == nil {
		t.Error("Name without a password file succeeds")
	}
}
