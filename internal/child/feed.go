package child

import (
	"io"
	"os"
	"syscall"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

const bufferSize = 32 << 10

// Fed is how a program ended that [Feed] ran.
type Fed struct {
	Code int
	// Unread is set if the program ended, or closed its input, before it had read
	// all. What fits into a pipe counts as read.
	Unread bool
}

// Feed runs a program that finds on its standard input, a pipe, first some text
// and then all of in. If in cannot be read to its end the program is killed
// before it can take what it got for the whole.
func Feed(argv []string, text string, in io.Reader) (Fed, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Fed{}, fault.Soft("unable to create pipe: "+syserr.Text(err), err)
	}
	p, err := Start(argv, os.Environ(), []*os.File{r, os.Stdout, os.Stderr})
	r.Close()
	if err != nil {
		w.Close()
		return Fed{}, err
	}
	unread, err := pour(w, text, in)
	if err != nil {
		p.Kill()
		w.Close()
		p.Wait()
		return Fed{}, fault.Soft("unable to copy input: "+syserr.Text(err), err)
	}
	w.Close()
	code, err := Wait(p)
	return Fed{code, unread}, err
}

// Broken is the error of a program that has to read all and did not.
func Broken() error {
	return fault.Soft("unable to copy input: "+syserr.Text(syscall.EPIPE), syscall.EPIPE)
}

// pour writes text and in to a pipe, unless its reader goes away. An error is that
// of in.
func pour(w io.Writer, text string, in io.Reader) (unread bool, err error) {
	if _, err := io.WriteString(w, text); err != nil {
		return true, nil
	}
	buf := make([]byte, bufferSize)
	for {
		n, err := in.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}
