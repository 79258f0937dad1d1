package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// injectors is how many qmail-inject run at a time.
const injectors = 4

// message is 4 KB.
var message = "To: joe@here.test\nSubject: bench\n\n" + strings.Repeat(strings.Repeat("x", 63)+"\n", 63)

// injectToMaildir measures the way from qmail-inject to the maildir, and the
// memory of the daemons before and after.
func (h *home) injectToMaildir(messages, rounds int) error {
	system, ends, err := h.start()
	if err != nil {
		return err
	}
	defer func() {
		system.Process.Signal(syscall.SIGTERM)
		system.Wait()
	}()
	fmt.Printf("Memory of idle daemons, PSS in KB\n\n| program | at first | after %d messages |\n| --- | --- | --- |\n", messages*rounds)
	before := h.memory()
	var rates, milliseconds []float64
	for range rounds {
		rate, cpu, err := h.round(messages, ends)
		if err != nil {
			return err
		}
		rates, milliseconds = append(rates, rate), append(milliseconds, cpu)
	}
	after := h.memory()
	for _, name := range daemons {
		fmt.Printf("| %s | %d | %d |\n", name, before[name], after[name])
	}
	fmt.Printf("\nqmail-inject to maildir, %d at a time, %d messages of 4 KB, median of %d rounds: %.0f messages a second (%.0f), %.1f ms of processor time each\n",
		injectors, messages, rounds, median(rates), rates, median(milliseconds))
	return nil
}

// round injects messages and waits for the ends of all. It returns messages a
// second and the processor time of each, in ms, of the whole system.
func (h *home) round(messages int, ends <-chan struct{}) (rate, cpu float64, err error) {
	next := make(chan struct{})
	errs := make(chan error, injectors)
	var wg sync.WaitGroup
	busy := processorTime()
	start := time.Now()
	for range injectors {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range next {
				cmd := h.command("qmail-inject")
				cmd.Stdin = strings.NewReader(message)
				if err := cmd.Run(); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range messages {
		select {
		case next <- struct{}{}:
		case err := <-errs:
			return 0, 0, err
		}
	}
	close(next)
	wg.Wait()
	for range messages {
		<-ends
	}
	seconds := time.Since(start).Seconds()
	return float64(messages) / seconds, (processorTime() - busy) * 1000 / float64(messages), nil
}

// start runs the system; the channel tells of each message's end.
func (h *home) start() (*exec.Cmd, <-chan struct{}, error) {
	cmd := h.command("qmail-start", "./Maildir/")
	log, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ends := make(chan struct{}, 1<<20)
	lines := bufio.NewReader(log)
	if first, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(first, "status: ") {
		return nil, nil, fmt.Errorf("qmail-send says %q, %v", first, err)
	}
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				return
			}
			if strings.HasPrefix(line, "end msg ") {
				ends <- struct{}{}
			}
		}
	}()
	return cmd, ends, nil
}

// daemons are the programs that stay.
var daemons = []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"}

// memory is the proportional set size of each daemon of this home, in KB.
func (h *home) memory() map[string]int {
	sizes := map[string]int{}
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		environ, _ := os.ReadFile(filepath.Join(name, "environ"))
		if !strings.Contains(string(environ), "QMAILHOME="+h.Dir+"\x00") {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(name, "exe"))
		rollup, _ := os.ReadFile(filepath.Join(name, "smaps_rollup"))
		for line := range strings.Lines(string(rollup)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
				sizes[filepath.Base(exe)], _ = strconv.Atoi(fields[1])
			}
		}
	}
	return sizes
}

// processorTime is how long all processors of the machine have been busy, in
// seconds: the measured programs come and go too fast to be asked each.
func processorTime() float64 {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	var ticks float64
	for i := 1; i < len(fields) && i <= 8; i++ {
		if n, err := strconv.ParseFloat(fields[i], 64); err == nil && i != 4 && i != 5 { // idle, iowait
			ticks += n
		}
	}
	return ticks / 100
}
