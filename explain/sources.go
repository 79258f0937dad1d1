package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"goqmail/control"
	"goqmail/dot-qmail"
	"goqmail/internal/address"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/routes"
	"goqmail/internal/syserr"
	"goqmail/remote"
	"goqmail/send"
	"goqmail/users"
)

// Sources are what an explanation is made of.
type Sources struct {
	Control string // folder of the control files
	// Find finds the user in charge of a local part; see [users.Finder]. Source is
	// where the user was found.
	Find func(local string) (u users.User, source string, err error)
	// Home opens a user's home.
	Home func(name string) dotqmail.Folder
	// ByDefault are the default delivery instructions, if KnowsDefault is set.
	ByDefault    string
	KnowsDefault bool
	Sender       string // of the message
}

// Address explains what becomes of mail for an envelope address.
func (s Sources) Address(given string) *Report {
	r := &Report{Given: given, Address: given}
	config, err := send.LoadConfig(s.Control)
	if err != nil {
		return r.problem("cannot read " + reason(err) + ": without it qmail-send does not start")
	}
	t := config.Routes.Trace(given)
	r.Address, r.NoHost, r.Percent = t.Complete, t.NoHost, t.Percent
	r.Route = route(t)
	local, host, _ := address.Split(t.Address)
	if t.Local {
		return s.local(r, local, host)
	}
	return s.remote(r, host)
}

// route tells which control file decides.
func route(t routes.Trace) Route {
	_, host, _ := address.Split(t.Complete)
	switch {
	case t.Locals:
		return Route{Kind: "local", File: "control/locals", Entry: host}
	case t.IsEntry && t.User == "":
		return Route{Kind: "remote", File: "control/virtualdomains", Entry: t.Entry + ":"}
	case t.IsEntry:
		return Route{Kind: "virtual", File: "control/virtualdomains", Entry: t.Entry + ":" + t.User, Address: t.Address}
	}
	return Route{Kind: "remote"}
}

func (s Sources) remote(r *Report, host string) *Report {
	r.Relay = &Relay{Host: host}
	files, err := control.Open(s.Control)
	if err != nil {
		return r.problem("cannot read control/me: " + reason(err))
	}
	lines, _, err := files.List("smtproutes")
	if err != nil {
		return r.problem("cannot read control/smtproutes: " + reason(err))
	}
	via, ok, err := remote.ParseRoutes(lines).Find(host)
	if err != nil {
		return r.fails(fault.Soft("Unable to read control files. (#4.3.0)", err))
	}
	if ok {
		r.Relay.Via, r.Relay.Port = via.Relay, via.Port
	}
	r.Outcome = Remote
	return r
}

func (s Sources) local(r *Report, local, host string) *Report {
	u, source, err := s.Find(local)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return r.problem("cannot read " + reason(err))
		}
		return r.fails(err)
	}
	r.User = &User{source, u.Name, u.UID, u.GID, u.Home, u.Dash, u.Ext}
	if u.UID == 0 {
		text, _ := exitcode.Start(exitcode.StartRoot)
		return r.fails(fault.Soft(text, nil))
	}
	return s.inHome(r, dotqmail.Recipient{Local: local, Dash: u.Dash, Ext: u.Ext, Host: host})
}

// inHome explains what the user in charge wants done.
func (s Sources) inHome(r *Report, to dotqmail.Recipient) *Report {
	home := s.Home(r.User.Home)
	info, err := home.Stat(".")
	if errors.Is(err, fs.ErrPermission) {
		return r.problem("cannot look into " + r.User.Home + ": " + reason(err))
	}
	if err != nil {
		return r.fails(fault.Soft("Unable to switch to "+r.User.Home+": "+syserr.Text(err)+". (#4.3.0)", err))
	}
	sticky, err := dotqmail.CheckHome(info)
	if err == nil && sticky {
		err = fault.Soft("Home directory is sticky: user is editing his .qmail file. (#4.2.1)", nil)
	}
	if err != nil {
		return r.fails(err)
	}
	byDefault := s.ByDefault
	if !s.KnowsDefault {
		byDefault = "#" // nothing, until it is known that it matters
	}
	plan, err := to.Plan(home, byDefault)
	r.files(to, home, plan)
	if errors.Is(err, fs.ErrPermission) {
		return r.problem("cannot read a .qmail file: " + reason(err))
	}
	if err != nil {
		return r.fails(err)
	}
	return s.planned(r, to, home, plan)
}

// planned tells the instructions.
func (s Sources) planned(r *Report, to dotqmail.Recipient, home dotqmail.Folder, plan *dotqmail.Plan) *Report {
	r.ByDefault = plan.ByDefault
	if plan.ByDefault && !s.KnowsDefault {
		return r.problem("the default delivery applies, the argument of qmail-start, which is not in control/defaultdelivery")
	}
	r.Outcome = Local
	for _, i := range plan.Instructions {
		r.Instructions = append(r.Instructions, Instruction{i.Line, string(i.Kind), i.Text, i.Forbidden})
		if i.Forbidden {
			r.Outcome, r.Text = Defer, "Uh-oh: .qmail has file or prog delivery but has x bit set. (#4.7.0)"
		}
	}
	sender, err := to.NewSender(home, s.Sender)
	if err != nil {
		return r.fails(err)
	}
	if sender != s.Sender {
		r.Sender = sender
	}
	return r
}

// files tells which files were tried: up to the one that was taken, or that the
// search ended at.
func (r *Report) files(to dotqmail.Recipient, home dotqmail.Folder, plan *dotqmail.Plan) {
	for c := range to.Candidates() {
		f := File{Name: c.Name, Result: "missing", Default: c.Default}
		if plan != nil && plan.File.Name == c.Name {
			f.Result = "taken"
		} else {
			f.Result = look(home, c.Name)
		}
		r.Files = append(r.Files, f)
		if f.Result == "taken" || strings.HasPrefix(f.Result, "cannot") {
			return
		}
	}
}

// look tells why a file is not taken.
func look(home dotqmail.Folder, name string) string {
	info, err := home.Stat(name)
	switch {
	case err == nil && info.Mode().IsRegular():
		return "cannot be taken"
	case err == nil:
		return "not a regular file"
	case errors.Is(err, fs.ErrPermission):
		return "cannot be read"
	}
	return "missing"
}

// reason names the file and the trouble with it.
func reason(err error) string {
	var c *send.ConfigError
	if errors.As(err, &c) {
		return fmt.Sprintf("control/%s: %s", c.File, errText(c.Err))
	}
	return errText(err)
}

func errText(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path + ": " + syserr.Text(p.Err)
	}
	return err.Error()
}
