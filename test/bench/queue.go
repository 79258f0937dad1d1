package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goqmail/queue"
)

// fullQueue measures qmail-send on queues of several sizes, with spawners that say
// yes at once: the time until the first delivery, that for all, and memory.
func (h *home) fullQueue(sizes []int) error {
	fmt.Printf("\nqmail-send on a full queue, spawners that say yes at once\n\n")
	fmt.Printf("| messages | first delivery after s | all ended after s | messages a second | peak memory MB |\n| --- | --- | --- | --- | --- |\n")
	for _, size := range sizes {
		if err := h.plant(size); err != nil {
			return err
		}
		if err := h.drain(size); err != nil {
			return err
		}
	}
	return nil
}

// plant puts preprocessed messages into the queue, unsynced.
func (h *home) plant(count int) error {
	for i := 1; i <= count; i++ {
		n := 1<<40 + i // far from the numbers of inodes
		split := strconv.Itoa(n % queue.DefaultSplit)
		for folder, text := range map[string]string{
			"mess":   "Subject: planted\n\n",
			"info":   "Fann@here.test\x00",
			"remote": fmt.Sprintf("Tjoe@%d.elsewhere.test\x00", i%200),
		} {
			name := filepath.Join(h.Dir, "queue", folder, split, strconv.Itoa(n))
			if err := errors.Join(os.WriteFile(name, []byte(text), 0o644), os.Chown(name, h.UID, h.GID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain runs qmail-send until all messages have ended.
func (h *home) drain(count int) error {
	var pipes [7]struct{ r, w *os.File }
	for i := range pipes {
		var err error
		if pipes[i].r, pipes[i].w, err = os.Pipe(); err != nil {
			return err
		}
	}
	clean := h.command("qmail-clean")
	clean.Stdin, clean.Stdout = pipes[5].r, pipes[6].w
	send := h.command("qmail-send")
	send.Stdin, send.Stdout, send.Stderr = pipes[0].w, pipes[1].w, pipes[2].r
	send.ExtraFiles = []*os.File{pipes[3].w, pipes[4].r, pipes[5].w, pipes[6].r}
	if err := errors.Join(clean.Start(), send.Start()); err != nil {
		return err
	}
	start := time.Now()
	for _, f := range []*os.File{pipes[0].w, pipes[1].w, pipes[2].r, pipes[3].w, pipes[4].r, pipes[5].r, pipes[5].w, pipes[6].r, pipes[6].w} {
		f.Close()
	}
	first := make(chan time.Duration, 2)
	go sayYes(pipes[1].r, pipes[2].w, start, first)
	go sayYes(pipes[3].r, pipes[4].w, start, first)
	log := bufio.NewReader(pipes[0].r)
	for ended := 0; ended < count; {
		line, err := log.ReadString('\n')
		if err != nil {
			return fmt.Errorf("qmail-send has ended after %d messages", ended)
		}
		if strings.HasPrefix(line, "end msg ") {
			ended++
		}
	}
	all := time.Since(start)
	peak := peakMemory(send)
	send.Process.Signal(syscall.SIGTERM)
	go io.Copy(io.Discard, log)
	err := send.Wait()
	clean.Wait()
	fmt.Printf("| %d | %.2f | %.1f | %.0f | %.1f |\n", count, (<-first).Seconds(), all.Seconds(), float64(count)/all.Seconds(), peak)
	return err
}

// sayYes plays a spawner; first gets the time until it is asked for a delivery.
func sayYes(in, out *os.File, start time.Time, first chan<- time.Duration) {
	defer out.Close()
	out.Write([]byte{120})
	asked := false
	for commands := bufio.NewReader(in); ; {
		place, err := commands.ReadByte()
		if err != nil {
			return
		}
		if !asked {
			asked = true
			first <- time.Since(start)
		}
		for range 3 {
			if _, err := commands.ReadString(0); err != nil {
				return
			}
		}
		out.Write([]byte{place, 'K', 0})
	}
}

// peakMemory is in MB.
func peakMemory(cmd *exec.Cmd) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(fields[1], 64)
			return kb / 1024
		}
	}
	return 0
}
