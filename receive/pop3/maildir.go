package pop3

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// message is a file of a maildir.
type message struct {
	name    string // below the maildir: new/... or cur/...
	size    int64
	changed time.Time
	deleted bool
}

// uid is what identifies a message from session to session: its file name up to
// the colon, without anything that would end a line.
func (m *message) uid() string {
	_, name, _ := strings.Cut(m.name, "/")
	name, _, _ = strings.Cut(name, ":")
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 127 {
			return '?'
		}
		return r
	}, name)
}

// abandoned is when files in tmp may go, maildir(5).
const abandoned = 36 * time.Hour

// clean removes what deliveries have left behind in tmp. It is a favour.
func clean(maildir string, now time.Time) {
	entries, _ := os.ReadDir(filepath.Join(maildir, "tmp"))
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		name := filepath.Join(maildir, "tmp", e.Name())
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil && now.Sub(time.Unix(st.Atim.Unix())) > abandoned {
			os.Remove(name)
		}
	}
}

// scan lists the messages in new and cur, oldest first. Those of this very second
// are left out, so that a later one cannot come before them.
func scan(maildir string, now time.Time) ([]message, error) {
	var all []message
	for _, folder := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(maildir, folder))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := folder + "/" + e.Name()
			if e.Name()[0] == '.' {
				continue
			}
			info, err := os.Stat(filepath.Join(maildir, name))
			if err != nil || !info.Mode().IsRegular() || info.ModTime().Unix() >= now.Unix() {
				continue
			}
			all = append(all, message{name: name, size: info.Size(), changed: info.ModTime().Truncate(time.Second)})
		}
	}
	slices.SortFunc(all, func(a, b message) int {
		return cmp.Or(a.changed.Compare(b.changed), strings.Compare(a.uid(), b.uid()))
	})
	return all, nil
}
