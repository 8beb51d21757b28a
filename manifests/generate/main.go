// Command generate writes the generated files of package manifests into the
// folder it is run in, as "go generate ./manifests" does, and takes away the
// policies of operations that are no more.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws-root-account/rootbot/manifests"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "manifests.go")); err != nil {
		return fmt.Errorf("this is not the folder manifests; run: go generate ./manifests: %w", err)
	}
	files, err := manifests.Files()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "iam", "*.json"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for name, content := range files {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
