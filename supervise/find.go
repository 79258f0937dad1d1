package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folders are where svscan, runsvdir and s6-svscan usually watch.
var folders = []string{"service", "etc/service", "var/service", "run/service", "run/runit/service", "etc/runit/runsvdir/default", "run/s6/services", "run/s6-rc/servicedirs"}

// find finds what looks after the system.
func (t *Tool) find() (supervisor, error) {
	if t.Supervisor == "systemd" {
		return systemd{t}, nil
	}
	s, err := t.findFolder()
	if s != nil || t.Supervisor != "" || t.Folder != "" {
		return s, err
	}
	if t.hasUnit() {
		return systemd{t}, nil
	}
	if err != nil {
		return nil, err
	}
	return unsupervised{t}, nil
}

// findFolder finds a folder with a service qmail-send that somebody looks after.
func (t *Tool) findFolder() (supervisor, error) {
	where := []string{t.Folder}
	if t.Folder == "" {
		where[0] = t.First
		for _, folder := range folders {
			where = append(where, filepath.Join(t.Root, folder))
		}
	}
	var wrong error
	for _, folder := range where {
		service := filepath.Join(folder, sendService)
		if folder == "" || !isService(service) {
			continue
		}
		what, err := kind(service)
		if err == nil && t.Supervisor != "" && t.Supervisor != what {
			err = fmt.Errorf("%s has it", what)
		}
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", service, err))
			continue
		}
		return scanned{t, folder, map[string]tools{"daemontools": daemontools, "runit": runit, "s6": s6}[what]}, nil
	}
	if wrong == nil && (t.Supervisor != "" || t.Folder != "") {
		wrong = fmt.Errorf("there is no service %s in %s", sendService, strings.Join(where, ", "))
	}
	return nil, wrong
}

// hasUnit reports whether the host runs systemd (sd_booted(3)) and that has a unit.
func (t *Tool) hasUnit() bool {
	if missing(filepath.Join(t.Root, "run/systemd/system")) {
		return false
	}
	for _, folder := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
		if !missing(filepath.Join(t.Root, folder, "systemd/system", sendUnit)) {
			return true
		}
	}
	return false
}

// unsupervised is a system that somebody has started by hand, or a script at boot.
// What has the queue is its qmail-send.
type unsupervised struct{ *Tool }

func (u unsupervised) services(names []string) ([]string, error) {
	for _, name := range names {
		if serviceName(name) != sendService {
			return nil, fmt.Errorf("nothing looks after %s", serviceName(name))
		}
	}
	return []string{sendService}, nil
}

func (u unsupervised) act(a action, _ []string) error {
	if a == up {
		return fmt.Errorf("no supervisor has the system: start it by %s &, or see qmailctl(8)", filepath.Join(u.Home, "boot/rc"))
	}
	pid, err := u.Holder()
	if err != nil {
		return err
	}
	name := map[action]string{down: "TERM", hangUp: "HUP"}[a]
	if name == "" {
		name = signals[a]
	}
	if err := u.Kill(pid, name); err != nil {
		return err
	}
	if a == down { // one that is stopped would not see it; another may have ended by now
		_ = u.Kill(pid, signals[proceed])
	}
	return nil
}

func (u unsupervised) state(string) (string, bool, error) {
	pid, err := u.Holder()
	switch {
	case errors.Is(err, os.ErrPermission):
		return "", false, err
	case err != nil:
		return "qmail-send: down: " + err.Error() + "\n", false, nil
	}
	return fmt.Sprintf("qmail-send: up (pid %d), without a supervisor\n", pid), true, nil
}
