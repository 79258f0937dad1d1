package system

import (
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"goqmail/control"
	"goqmail/internal/routes"
)

// recipientHome makes homes with many kinds of .qmail files, and users of many kinds.
func (s *system) recipientHome() {
	s.t.Helper()
	folder := func(name string, mode os.FileMode) {
		s.must(os.MkdirAll(s.path(name), 0o700))
		s.must(os.Chmod(s.path(name), mode))
	}
	for _, home := range []string{"ann", "closed", "sticky", "joe/.qmail-folder"} {
		folder(home, 0o755)
	}
	for name, text := range map[string]string{
		"joe/.qmail-list": "#\n", "joe/.qmail-empty": "", "joe/.qmail-blank": "\n", "joe/.qmail-no": "|exit 100\n", "joe/.qmail-later": "|exit 111\n",
		"joe/.qmail-a-default": "#\n", "joe/.qmail-a-b-default": "#\n", "joe/.qmail-a-b": "#\n", "joe/.qmail-x:y": "#\n", "joe/.qmail-default-x": "#\n",
		"joe/.qmail-unreadable": "#\n", "joe/.qmail-writable": "#\n", "joe/.qmail-exec": "|true\n", "joe/.qmail-folder/x": "#\n",
		"ann/.qmail": "#\n", "ann/.qmail-sub-default": "#\n", "ann/.qmail-sub-owner": "#\n",
		"closed/.qmail-list": "#\n", "sticky/.qmail-list": "#\n",
		"alias/.qmail-info": "#\n", "alias/.qmail-a-default": "#\n",
	} {
		s.write(name, text)
	}
	s.must(errors.Join(
		os.Symlink(".qmail-list", s.path("joe/.qmail-link")), os.Symlink(".qmail-none", s.path("joe/.qmail-dangling")),
		os.Symlink(".qmail-loop", s.path("joe/.qmail-loop")), os.Symlink("/etc/shadow", s.path("joe/.qmail-away")),
		syscall.Mkfifo(s.path("joe/.qmail-fifo"), 0o600),
	))
	s.own()
	for name, mode := range map[string]os.FileMode{"joe/.qmail-unreadable": 0, "joe/.qmail-writable": 0o666, "joe/.qmail-exec": 0o700, "closed": 0, "sticky": 0o755 | os.ModeSticky} {
		s.must(os.Chmod(s.path(name), mode))
	}
	s.t.Cleanup(func() { os.Chmod(s.path("closed"), 0o755) })
	user := func(name, home, dash, pre string) string {
		return strings.Join([]string{name, "joe", strconv.Itoa(s.uid), strconv.Itoa(s.home.GID), s.path(home), dash, pre, "\n"}, ":")
	}
	s.write("users/assign", "="+user("joe", "joe", "", "")+"+"+user("joe-", "joe", "-", "")+"="+user("ann", "ann", "", "")+"+"+user("ann-", "ann", "-", "")+
		"+"+user("pre", "joe", "-", "a-")+"+"+user("bare", "ann", "", "")+"+"+user("closed", "closed", "", "")+"+"+user("closed-", "closed", "-", "")+
		"+"+user("sticky-", "sticky", "-", "")+"+"+user("gone-", "gone", "-", "")+"+toor-:root:0:0:"+s.path("joe")+":-::\n.\n")
	s.must(s.command("qmail-newu").Run())
	alias := "alias\\000" + strconv.Itoa(s.uid) + "\\000" + strconv.Itoa(s.home.GID) + "\\000" + s.path("alias") + "\\000-\\000%s\\000"
	s.replace("qmail-getpw", `case $1 in refused*) exit 100;; trouble*) exit 111;; esac; printf '`+alias+`' "$1"`)
	s.write("control/locals", "test.example\nhack.example\n")
	s.write("control/percenthack", "hack.example\n")
	s.write("control/virtualdomains", "virtual.example:joe\n.below.example:ann-sub\nout.below.example:\none@far.example:joe-a\nnone.example:nobody\nlist.example:joe-list\n")
}

// recipients are addresses of all kinds, and at random what else can be made of
// their parts.
func recipients() []string {
	names := []string{"joe", "Ann", "pre", "prex", "bare", "bare-x", "closed", "sticky", "gone", "toor", "nobody", "refused", "trouble", "info", "a", "postmaster", "MAILER-DAEMON", ""}
	exts := []string{"", "-", "-list", "-LIST", "-empty", "-blank", "-no", "-later", "-a", "-a-b", "-a-b-c", "-a-x-y", "-x.y", "-x:y", "-default", "-default-x", "-unreadable", "-writable",
		"-exec", "-folder", "-folder/x", "-list/x", "-fifo", "-link", "-dangling", "-loop", "-away", "-none", "-sub", "-sub-x", "-sub-owner", "-subscribe-ann=example.org", "-../joe/.qmail", "-" + strings.Repeat("long", 100)}
	hosts := []string{"@test.example", "@Test.Example", "%test.example@hack.example", "@virtual.example", "@a.below.example", "@none.example", "@list.example", "@far.example"}
	var all []string
	for _, name := range names {
		all = append(all, name+"@test.example", name+"-list@test.example", name+"-none@test.example")
	}
	for _, ext := range exts {
		all = append(all, "joe"+ext+"@test.example", "ann"+ext+"@test.example", strings.TrimPrefix(ext, "-")+"@virtual.example")
	}
	all = append(all, "one@far.example", "x@out.below.example")
	random := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		all = append(all, names[random.IntN(len(names))]+exts[random.IntN(len(exts))]+hosts[random.IntN(len(hosts))])
	}
	return all
}

// TestRecipientCheck delivers a message to addresses of all kinds, and compares what
// became of it with what qmail-rcptcheck says about them.
func TestRecipientCheck(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.recipientHome()
	files, err := control.Open(s.path("control"))
	s.must(err)
	table, _, err := routes.Read(files)
	s.must(err)
	local := map[string]string{} // by the address that is delivered to
	for _, addr := range recipients() {
		if here, to := table.Route(addr); here {
			local[to] = addr
		} else if code := s.ask(addr); code != 112 {
			t.Errorf("%s is not for this host, and qmail-rcptcheck says %d", addr, code)
		}
	}
	var to []string
	said := map[string]int{}
	for _, addr := range local {
		to = append(to, addr)
		said[addr] = s.ask(addr)
	}
	if code := s.queue("", to, []byte("Subject: x\n\nx\n")); code != 0 {
		t.Fatalf("qmail-queue: %d", code)
	}
	s.run()
	for i := 1; !s.delivered(local); i++ {
		s.wait("\ndelivery "+strconv.Itoa(i)+": ", 1) // some are those of the bounce
	}
	count := map[string]int{}
	for address, outcome := range s.outcomes() {
		addr, ok := local[address]
		if !ok {
			continue // that of the bounce
		}
		absent := strings.HasPrefix(outcome, "failure: Sorry,_no_mailbox_here_by_that_name.") || strings.HasPrefix(outcome, "failure: Sorry,_qmail-getpw_refuses")
		postmaster := strings.HasPrefix(strings.ToLower(addr), "postmaster@") || strings.HasPrefix(strings.ToLower(addr), "postmaster%")
		kind, _, _ := strings.Cut(outcome, ":")
		count[kind+" "+strconv.Itoa(said[addr])]++
		switch said[addr] {
		case 100:
			if !absent {
				t.Errorf("qmail-rcptcheck knows no %s, but: %s", addr, outcome)
			}
		case 0:
			if absent && !postmaster {
				t.Errorf("qmail-rcptcheck knows %s, but: %s", addr, outcome)
			}
		case 111, 112:
			if kind == "success" {
				t.Errorf("qmail-rcptcheck says %d of %s: %s", said[addr], addr, outcome)
			}
		default:
			t.Errorf("qmail-rcptcheck says %d of %s", said[addr], addr)
		}
	}
	t.Log(count)
	if count["success 0"] < 20 || count["failure 100"] < 20 || count["deferral 112"] == 0 || count["deferral 111"] == 0 {
		t.Errorf("too few of a kind: %v", count)
	}
}

// ask asks qmail-rcptcheck.
func (s *system) ask(addr string) int {
	s.t.Helper()
	cmd := s.command("qmail-rcptcheck", addr)
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode()
}

var (
	starting = regexp.MustCompile(`(?m)starting delivery (\d+): msg \d+ to local (.*)$`)
	ending   = regexp.MustCompile(`(?m)delivery (\d+): ((?:success|failure|deferral): .*)$`)
)

// delivered reports whether a delivery to each address has ended.
func (s *system) delivered(addresses map[string]string) bool {
	outcomes := s.outcomes()
	for address := range addresses {
		if outcomes[address] == "" {
			return false
		}
	}
	return true
}

// outcomes are those of the local deliveries in the log, by address.
func (s *system) outcomes() map[string]string {
	log := s.logged()
	of := map[string]string{}
	for _, m := range ending.FindAllStringSubmatch(log, -1) {
		of[m[1]] = m[2]
	}
	all := map[string]string{}
	for _, m := range starting.FindAllStringSubmatch(log, -1) {
		all[m[2]] = of[m[1]]
	}
	return all
}
