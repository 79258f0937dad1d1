package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// startUp measures programs from start to exit, doing as little as they can, in
// turn with a Go program that does nothing.
func (h *home) startUp(nothing string, times int) error {
	envelope, err := os.CreateTemp("", "envelope")
	if err != nil {
		return err
	}
	defer os.Remove(envelope.Name())
	defer envelope.Close()
	runs := []struct {
		name string
		cmd  func() *exec.Cmd
	}{
		{"Go program that does nothing", func() *exec.Cmd { return h.command(nothing) }},
		{"qmail-queue, empty envelope", func() *exec.Cmd {
			cmd := h.command("qmail-queue")
			cmd.Stdin, cmd.Stdout = strings.NewReader(""), envelope
			return cmd
		}},
		{"qmail-local -n", func() *exec.Cmd {
			return h.command("qmail-local", "-n", "joe", h.Dir+"/joe", "joe", "", "", "here.test", "", "./Maildir/")
		}},
		{"qmail-inject -n", func() *exec.Cmd {
			cmd := h.command("qmail-inject", "-n", "joe")
			cmd.Stdin = strings.NewReader("Subject: s\n\n")
			return cmd
		}},
	}
	wall := make([][]time.Duration, len(runs))
	cpu := make([][]time.Duration, len(runs))
	for range times {
		for i, r := range runs {
			w, c := once(r.cmd())
			wall[i], cpu[i] = append(wall[i], w), append(cpu[i], c)
		}
	}
	fmt.Printf("Start to exit, median of %d, each in turn\n\n", times)
	fmt.Printf("| program | wall ms | processor ms | wall, times that of nothing |\n| --- | --- | --- | --- |\n")
	for i, r := range runs {
		fmt.Printf("| %s | %.2f | %.2f | %.2f |\n", r.name, milliseconds(median(wall[i])), milliseconds(median(cpu[i])),
			float64(median(wall[i]))/float64(median(wall[0])))
	}
	fmt.Println()
	return nil
}

// once runs a program whose exit code does not matter.
func once(cmd *exec.Cmd) (wall, cpu time.Duration) {
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	start := time.Now()
	cmd.Run()
	wall = time.Since(start)
	if state := cmd.ProcessState; state != nil {
		cpu = state.UserTime() + state.SystemTime()
	}
	return wall, cpu
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
