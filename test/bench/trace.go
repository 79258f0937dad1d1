package main

import (
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// traced is a command whose calls are counted, and those of what it starts.
func (r *round) traced(cmd *exec.Cmd) *exec.Cmd {
	args := append([]string{"-f", "-qq", "-c", "-U", "name,calls", "-o", r.traceFile()}, cmd.Path)
	t := r.command("/usr/bin/strace", append(args, cmd.Args[1:]...)...)
	t.SysProcAttr = nil
	return t
}

func (r *round) traceFile() string {
	f, err := os.CreateTemp("/mnt", "trace")
	if err != nil {
		return "/dev/null"
	}
	f.Close()
	return f.Name()
}

// trace attaches strace to all processes of the system; what it returns gives what
// was counted since.
func (r *round) trace() (stop func() (calls, error), err error) {
	file := r.traceFile()
	args := []string{"-f", "-qq", "-c", "-U", "name,calls", "-o", file}
	pids := r.processes()
	for _, pid := range pids {
		args = append(args, "-p", pid)
	}
	cmd := exec.Command("/usr/bin/strace", args...)
	cmd.Stderr = r.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for _, pid := range pids {
		for range 100 {
			status, _ := os.ReadFile("/proc/" + pid + "/status")
			if tracer, err := field(string(status), "TracerPid:"); err != nil || tracer != 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return func() (calls, error) {
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			return nil, err
		}
		cmd.Wait() // it ends by the signal
		return r.traces()
	}, nil
}

// traces adds up what strace has written, and takes it away.
func (r *round) traces() (calls, error) {
	sum := calls{}
	entries, err := os.ReadDir("/mnt")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "trace") {
			continue
		}
		text, err := os.ReadFile("/mnt/" + e.Name())
		if err != nil {
			return nil, err
		}
		found, err := parseCalls(string(text))
		if err != nil {
			return nil, err
		}
		for name, n := range found {
			sum[name] += n
		}
		os.Remove("/mnt/" + e.Name())
	}
	return sum, nil
}
