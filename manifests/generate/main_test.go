package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws-root-account/rootbot/manifests"
)

func TestTheGeneratorWritesAllFilesAndTakesAwayOldPolicies(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"manifests.go", "iam/main.tf", "iam/retired-act.json"} {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(folder); err != nil {
		t.Fatal(err)
	}
	files, err := manifests.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if have, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(have) != string(want) {
			t.Errorf("%s: %q, %v", name, have, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "iam/retired-act.json")); !os.IsNotExist(err) {
		t.Errorf("the policy of an operation that is no more is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "iam/main.tf")); err != nil {
		t.Errorf("a file written by hand is gone: %v", err)
	}
}

func TestTheGeneratorWritesIntoNoOtherFolder(t *testing.T) {
	folder := t.TempDir()
	if err := run(folder); err == nil {
		t.Error("it wrote into a folder that isn't manifests")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
