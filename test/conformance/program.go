package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// environment is what every program under test gets.
func (w *world) environment() []string {
	env := []string{
		"PATH=" + w.runner.Bin + ":/usr/local/bin:/usr/bin:/bin",
		"QMAILQUEUE=" + w.runner.standIn,
		captureFolder + "=" + w.captured,
		captureExit + "=" + strconv.Itoa(w.c.QueueExit),
	}
	if w.runner.Link == "" {
		env = append(env, "QMAILHOME="+w.home)
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env = append(env, "GOCOVERDIR="+dir)
	}
	for k, v := range w.c.Env {
		env = append(env, k+"="+w.fill(v))
	}
	return env
}

// runProgram runs the program of the case.
func (w *world) runProgram(got *Want) error {
	cmd, err := w.command()
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(w.fill(w.c.Stdin))
	if readsFile(w.c.Prog) {
		f, err := w.tempFile("stdin", w.fill(w.c.Stdin))
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := w.wait(cmd); err != nil {
		return err
	}
	got.Exit = cmd.ProcessState.ExitCode()
	got.Stdout = w.normal(Bytes(stdout.String()))
	got.Stderr = w.normal(Bytes(stderr.String()))
	return nil
}

// command prepares the program, its arguments, environment and user.
func (w *world) command() (*exec.Cmd, error) {
	path := filepath.Join(w.runner.Bin, w.c.Prog)
	if w.c.Prog == "sh" {
		path = "/bin/sh"
	}
	ordinary := w.c.Ordinary && os.Getuid() == 0
	if ordinary {
		var err error
		if path, err = w.handOver(path); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(path)
	cmd.Args[0] = w.c.Prog
	for _, a := range w.c.Args {
		cmd.Args = append(cmd.Args, w.fill(a))
	}
	cmd.Dir = w.dir
	cmd.Env = w.environment()
	cmd.WaitDelay = time.Second
	if ordinary {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd, nil
}

// handOver makes the ordinary user the owner of the working folder, and copies
// the program to where that user may get at it.
func (w *world) handOver(program string) (string, error) {
	path := filepath.Join(w.top, filepath.Base(program))
	if err := copyProgram(program, path); err != nil {
		return "", err
	}
	return path, filepath.WalkDir(w.dir, func(name string, _ fs.DirEntry, _ error) error {
		return os.Lchown(name, nobody, nobody)
	})
}

func copyProgram(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, program, 0o755)
}

// writeFile writes a file while no process is forked: one that had it open for
// writing, until it runs its program, would keep others from running the file.
func writeFile(name string, data []byte, mode fs.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, data, mode)
}

// wait runs a command within the time limit. That it fails is a result, not an
// error.
func (w *world) wait(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(w.runner.Timeout, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		return fmt.Errorf("%s: no answer in %v", filepath.Base(cmd.Path), w.runner.Timeout)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// tempFile returns a new file with that content, to be read from its beginning.
func (w *world) tempFile(name, content string) (*os.File, error) {
	f, err := os.CreateTemp(w.top, name)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readsFile tells which programs read a message that their caller opened, and
// may rewind it. The others get a pipe.
func readsFile(prog string) bool {
	switch prog {
	case "qmail-local", "qmail-remote", "condredirect", "bouncesaying", "except", "preline", "forward", "qreceipt", "qbiff", "sh":
		return true
	}
	return false
}
