// Pictures draws the pictures of the documentation: each text NAME.txt in the folder
// given becomes NAME.svg beside it.
//
// # File format
//
// A picture is boxes on a grid, and arrows between them. A line is
//
//	box KEY COLUMN ROW KIND TITLE | TEXT | TEXT
//	arrow FROM TO [TEXT]
//	note COLUMN ROW TEXT
//
// KIND is program, files or other, and gives the colour. Arrows go from the side of
// one box to that of another which is nearer. A column is 200 wide and a row 90 high,
// in units of the picture, which is 800 wide. Empty lines do not count, nor do those
// that begin with #.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pictures FOLDER")
		os.Exit(100)
	}
	if err := all(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(111)
	}
}

func all(folder string) error {
	texts, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return err
	}
	for _, name := range texts {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		svg, err := Draw(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(strings.TrimSuffix(name, ".txt")+".svg", []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}
