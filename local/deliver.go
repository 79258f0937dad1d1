package local

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// run is a delivery under way.
type run struct {
	*Delivery
	plan      *dotqmail.Plan
	newSender string
	added     addedLines
	env       []string
	buf       []byte

	files, forwards, programs int      // instructions met
	to                        []string // addresses to forward to
	qp                        int      // process that queued the forwarded message
}

// Deliver delivers the message. An error without text means that a program has
// said, or kept to itself, why it failed.
func (d *Delivery) Deliver() error {
	buf, giveBack := d.Host.buffer()
	defer giveBack()
	r := &run{Delivery: d, buf: *buf}
	sticky, err := r.checkHome()
	if err != nil {
		return err
	}
	if sticky {
		return fault.Soft("Home directory is sticky: user is editing his .qmail file. (#4.2.1)", nil)
	}
	r.added = addLines(d.To, d.Sender, d.Host.Now())
	if err := r.checkLoop(); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if r.Shared && r.takesProcess() {
		return ErrShared
	}
	if err := r.each(r.obey); err != nil {
		return err
	}
	if err := r.forward(); err != nil {
		return err
	}
	r.summary()
	return nil
}

// Show says what Deliver would do, a line for each instruction. It does not look
// at the message.
func (d *Delivery) Show() error {
	r := &run{Delivery: d}
	sticky, err := r.checkHome()
	if err != nil {
		return err
	}
	if sticky {
		io.WriteString(d.Warn, "Warning: home directory is sticky.\n")
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.each(r.show); err != nil {
		return err
	}
	r.summary()
	return nil
}

// checkHome asks about the home as one enters it: a folder that may not be
// searched is as good as none.
func (r *run) checkHome() (sticky bool, err error) {
	info, err := r.Files.Stat(".")
	if err != nil {
		return false, fault.Soft("Unable to switch to "+r.Home+": "+syserr.Text(err)+". (#4.3.0)", err)
	}
	return dotqmail.CheckHome(info)
}

// prepare finds out what is to be done.
func (r *run) prepare() (err error) {
	home := homeFolder{r.Files}
	if r.plan, err = r.To.Plan(home, r.ByDefault); err != nil {
		return err
	}
	if r.newSender, err = r.To.NewSender(home, r.Sender); err != nil {
		return err
	}
	r.env = environment(r.Env, r.Delivery, r.plan, r.newSender, r.added)
	return nil
}

// takesProcess reports whether an instruction cannot be carried out in a process
// that makes other deliveries.
func (r *run) takesProcess() bool {
	return slices.ContainsFunc(r.plan.Instructions, func(i dotqmail.Instruction) bool {
		return i.Kind == dotqmail.Program || i.Kind == dotqmail.Mbox
	})
}

// homeFolder shows a home to dotqmail.
type homeFolder struct{ durable.FS }

func (h homeFolder) Open(name string) (fs.File, error) {
	f, err := h.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// each calls do with the instructions in turn until one fails or says stop.
func (r *run) each(do func(dotqmail.Instruction) (stop bool, err error)) error {
	for _, i := range r.plan.Instructions {
		switch i.Kind {
		case dotqmail.Forward:
			r.forwards++
		case dotqmail.Program:
			r.programs++
			if i.Forbidden {
				return fault.Soft("Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)", nil)
			}
		default:
			r.files++
			if i.Forbidden {
				return fault.Soft("Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)", nil)
			}
		}
		if stop, err := do(i); err != nil || stop {
			return err
		}
	}
	return nil
}

// obey carries an instruction out. Forwards wait until all else is done.
func (r *run) obey(i dotqmail.Instruction) (stop bool, err error) {
	switch i.Kind {
	case dotqmail.Maildir:
		return false, r.toMaildir(i.Text)
	case dotqmail.Mbox:
		return false, r.toMbox(i.Text)
	case dotqmail.Program:
		return r.toProgram(i.Text)
	}
	r.to = append(r.to, i.Text)
	return false, nil
}

func (r *run) show(i dotqmail.Instruction) (stop bool, err error) {
	io.WriteString(r.Out, string(i.Kind)+" "+i.Text+"\n")
	return false, nil
}

// summary says how many instructions of each kind there were, and which process
// took the forwarded message. qmail-send logs it.
func (r *run) summary() {
	text := "did " + strconv.Itoa(r.files) + "+" + strconv.Itoa(r.forwards) + "+" + strconv.Itoa(r.programs) + "\n"
	if r.qp != 0 {
		text += "qp " + strconv.Itoa(r.qp) + "\n"
	}
	io.WriteString(r.Out, text)
}
