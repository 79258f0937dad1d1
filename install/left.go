package install

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"goqmail/queue"
)

// Left says what is left to do after the system was installed, or removed.
func (s *System) Left(removed bool) {
	pid, err := queue.Holder(s.path("queue"))
	runs := err == nil && s.Dest == ""
	switch {
	case s.Dest != "":
		s.sayf("left to do: owners and set-uid bits are not set below %s: run %s on the host", s.Dest, filepath.Join(s.Home, "bin/qmail-install"))
		return
	case removed && runs:
		s.sayf("left to do: stop qmail-send, process %d, which still runs", pid)
		return
	case removed:
		if s.Dest == "" && exists("/etc/systemd/system/multi-user.target.wants/goqmail.service") {
			s.sayf("left to do: systemctl disable goqmail.service, and what else of it is enabled")
		}
		return
	case runs:
		s.sayf("left to do: restart qmail-send, process %d, which runs the programs of before: qmailctl restart", pid)
	case errors.Is(err, queue.ErrNobody):
		s.sayf("left to do: start it, see qmailctl(8)")
	}
	s.nameless()
}

// nameless says so if other hosts will not like this one's name.
func (s *System) nameless() {
	me, err := os.ReadFile(s.path("control/me"))
	if err == nil && !strings.Contains(string(me), ".") {
		s.sayf("left to do: write the full name of this host into %s, and where else %q is there",
			filepath.Join(s.Home, "control/me"), strings.TrimSpace(string(me)))
	}
}
