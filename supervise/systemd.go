package supervise

import (
	"fmt"
	"slices"
	"strings"
)

// systemd is a host that systemd has started.
type systemd struct{ *Tool }

const sendUnit = "goqmail.service"

// signals are the actions that are signals to the main process of a service.
var signals = map[action]string{alarm: "ALRM", pause: "STOP", proceed: "CONT"}

// units lists the installed units of the system, each with whether it is enabled.
func (s systemd) units() (enabled map[string]bool, all []string, err error) {
	text, code, err := s.output("systemctl", "list-unit-files", "--no-legend", "--no-pager", "goqmail*")
	if err == nil && code != 0 {
		err = fmt.Errorf("systemctl list-unit-files has failed: exit code %d", code)
	}
	if err != nil {
		return nil, nil, err
	}
	enabled = map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[1] == "masked" || strings.Contains(fields[0], "@.") || strings.HasPrefix(fields[0], "goqmail-check.") {
			continue
		}
		enabled[fields[0]] = strings.HasPrefix(fields[1], "enabled")
		all = append(all, fields[0])
	}
	if !slices.Contains(all, sendUnit) {
		return nil, nil, fmt.Errorf("systemd knows no %s", sendUnit)
	}
	slices.SortStableFunc(all, func(a, b string) int { return unitRank(a) - unitRank(b) })
	return enabled, all, nil
}

// unitRank puts qmail-send first, and sockets before what they start.
func unitRank(unit string) int {
	switch {
	case unit == sendUnit:
		return 0
	case strings.HasSuffix(unit, ".socket"):
		return 1
	}
	return 2
}

// services are units without their ends: goqmail, goqmail-smtpd.
func (s systemd) services(wanted []string) ([]string, error) {
	_, all, err := s.units()
	if err != nil {
		return nil, err
	}
	known := make([]string, 0, len(all))
	for _, unit := range all {
		name, _, _ := strings.Cut(unit, ".")
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(wanted) == 0 {
		return known, nil
	}
	names := make([]string, 0, len(wanted))
	for _, name := range wanted {
		name = "go" + serviceName(name)
		if name == "goqmail-send" || name == "goqmail-goqmail" || name == "goqmail-qmail" {
			name = "goqmail"
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("systemd knows no unit %s", name)
		}
		names = append(names, name)
	}
	return names, nil
}

// of lists the units of services: all that are installed, or those that are to run.
func (s systemd) of(services []string, toRun bool) ([]string, error) {
	enabled, all, err := s.units()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(unit string) bool {
		name, _, _ := strings.Cut(unit, ".")
		return !slices.Contains(services, name) || toRun && unit != sendUnit && !enabled[unit]
	}), nil
}

func (s systemd) act(a action, services []string) error {
	switch a {
	case up:
		units, err := s.of(services, true)
		if err != nil {
			return err
		}
		if len(units) == 0 {
			return fmt.Errorf("%s is not enabled: systemctl enable %[1]s.socket", services[0])
		}
		return s.must(append([]string{"systemctl", "start"}, units...)...)
	case down:
		units, err := s.of(services, false)
		if err != nil {
			return err
		}
		return s.must(append([]string{"systemctl", "stop"}, units...)...)
	case hangUp:
		return s.must("systemctl", "reload", sendUnit)
	}
	return s.signal(signals[a], services)
}

// signal sends a signal to the main processes of services that run.
func (s systemd) signal(signal string, services []string) error {
	for _, service := range services {
		unit := service + ".service"
		if unit != sendUnit {
			_, code, err := s.output("systemctl", "is-active", unit)
			if err != nil {
				return err
			}
			if code != 0 {
				continue // nobody has connected to its socket yet
			}
		}
		// Of old --kill-who, and understood by all.
		if err := s.must("systemctl", "kill", "--signal="+signal, "--kill-who=main", unit); err != nil {
			return err
		}
	}
	return nil
}

func (s systemd) state(service string) (text string, running bool, err error) {
	text, _, err = s.output("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", service+".service", service+".socket")
	if err != nil {
		return "", false, err
	}
	if text == "" {
		text = service + ": inactive\n"
	}
	for line := range strings.Lines(text) {
		// unit, loaded, active, its state in detail, what it is
		fields := strings.Fields(line)
		running = running || len(fields) > 2 && slices.Contains([]string{"active", "activating", "reloading", "deactivating"}, fields[2])
	}
	return text, running, nil
}
