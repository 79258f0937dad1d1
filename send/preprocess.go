package send

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"time"

	"goqmail/internal/durable"
	"goqmail/queue"
)

// preprocessing is the work on one message. Its errors are warnings.
type preprocessing struct {
	q      *queue.Queue
	log    *logger
	routes *Routes
	n      queue.Number

	gone     bool // there is no such message
	logged   bool // the log has it already
	size     int64
	birth    time.Time // now, if it is zero
	envelope queue.Envelope
	todo     durable.File
	info     *newFile
	lists    [channels]*newFile
	has      [channels]bool
}

// newFile is a file of the queue that is being written.
type newFile struct {
	name string
	f    durable.File
	out  *bufio.Writer
}

// run writes the files of a message that is open, and closes it.
func (p *preprocessing) run() error {
	defer p.close()
	if err := p.removeOld(); err != nil {
		return err
	}
	// Whoever queues the message may not have done so yet, and a crash that took it from
	// todo, but left an info file that is not whole, would leave what nobody could ever end.
	if err := p.syncFolder(queue.Todo); err != nil {
		return err
	}
	var err error
	if p.info, err = p.create(queue.Info); err != nil {
		return err
	}
	if !p.logged {
		p.log.newMessage(p.n)
	}
	err = queue.ReadTodo(p.todo, p.sender, p.recipient)
	var w *writeError
	switch {
	case errors.As(err, &w):
		return err
	case errors.Is(err, queue.ErrUnknownRecord):
		return errors.New("unknown record type in " + p.q.Name(queue.Todo, p.n))
	case err != nil:
		return errors.New("trouble reading " + p.q.Name(queue.Todo, p.n))
	}
	return p.sync()
}

// again is run for a message that was looked at and closed. It was born then.
func (p *preprocessing) again() error {
	p.info, p.lists, p.has = nil, [channels]*newFile{}, [channels]bool{}
	err := p.open()
	if err == nil && p.gone {
		err = errors.New("unable to open " + p.q.Name(queue.Todo, p.n))
	}
	if err == nil {
		err = p.run()
	}
	if err != nil {
		return err
	}
	// Whoever looks which routes a message took compares this time with theirs.
	_ = p.q.FS.Chtimes(p.q.Name(queue.Info, p.n), p.birth, p.birth)
	return nil
}

// open opens the envelope.
func (p *preprocessing) open() error {
	name := p.q.Name(queue.Todo, p.n)
	var err error
	p.todo, err = p.q.FS.Open(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		p.gone = true // somebody has deleted it
		return nil
	}
	if err != nil {
		return errors.New("unable to open " + name)
	}
	st, err := p.q.FS.Stat(p.q.Name(queue.Mess, p.n))
	if err != nil {
		p.close()
		return errors.New("unable to stat " + p.q.Name(queue.Mess, p.n))
	}
	p.size = st.Size()
	return nil
}

// removeOld removes what a crash in the midst of this left, or brought back.
func (p *preprocessing) removeOld() error {
	for _, kind := range []queue.Kind{queue.Local, queue.Remote, queue.Bounce, queue.Info} {
		if p.q.Remove(kind, p.n) != nil {
			return errors.New("unable to unlink " + p.q.Name(kind, p.n))
		}
	}
	p.q.Remove(queue.LocalReports, p.n)
	p.q.Remove(queue.RemoteReports, p.n)
	return nil
}

func (p *preprocessing) create(kind queue.Kind) (*newFile, error) {
	name := p.q.Name(kind, p.n)
	f, err := p.q.FS.Create(name, 0o600)
	if err != nil {
		return nil, &writeError{"unable to create " + name}
	}
	return &newFile{name, f, bufio.NewWriter(f)}, nil
}

// writeError is trouble with a file that is being written.
type writeError struct{ text string }

func (e *writeError) Error() string { return e.text }

func (f *newFile) write(letter byte, value string) error {
	f.out.WriteByte(letter)
	f.out.WriteString(value)
	if f.out.WriteByte(0) != nil {
		return &writeError{"trouble writing to " + f.name}
	}
	return nil
}

func (p *preprocessing) sender(e queue.Envelope) error {
	if err := p.info.write('F', e.Sender); err != nil {
		return err
	}
	if !p.logged {
		p.log.info(p.n, p.size, e)
	}
	return nil
}

func (p *preprocessing) recipient(addr string) error {
	ch, addr := channelOf(p.routes, addr)
	if p.lists[ch] == nil {
		var err error
		if p.lists[ch], err = p.create(ch.kind()); err != nil {
			return err
		}
		p.has[ch] = true
	}
	return p.lists[ch].write('T', addr)
}

// sync makes the files durable, and their folders, all at the same time.
func (p *preprocessing) sync() error {
	var steps []func() error
	for _, f := range p.files() {
		if f.out.Flush() != nil {
			return errors.New("trouble writing to " + f.name)
		}
		steps = append(steps, func() error { return fsync(f.name, f.f.Sync) })
	}
	kinds := []queue.Kind{queue.Info}
	for ch, has := range p.has {
		if has {
			kinds = append(kinds, channel(ch).kind())
		}
	}
	for _, kind := range kinds {
		steps = append(steps, func() error { return p.syncFolder(kind) })
	}
	return durable.Together(steps...)
}

func (p *preprocessing) syncFolder(kind queue.Kind) error {
	folder := p.q.Folder(kind, p.n)
	return fsync(folder, func() error { return p.q.FS.SyncDir(folder) })
}

func fsync(name string, sync func() error) error {
	if sync() != nil {
		return errors.New("trouble fsyncing " + name)
	}
	return nil
}

func (p *preprocessing) files() []*newFile {
	var files []*newFile
	for _, f := range []*newFile{p.info, p.lists[local], p.lists[remote]} {
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}

func (p *preprocessing) close() {
	if p.todo != nil {
		p.todo.Close()
		p.todo = nil
	}
	for _, f := range p.files() {
		f.f.Close()
	}
}
