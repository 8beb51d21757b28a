package manifests_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/manifests"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/catalog"
)

func files(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := manifests.Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func operations() []ops.Operation {
	var operations []ops.Operation
	for _, settings := range catalog.All() {
		operations = append(operations, settings.Operation(nil, nil, ""))
	}
	return operations
}

func TestTheFilesInTheRepositoryAreCurrent(t *testing.T) {
	var want, have []string
	for name, content := range files(t) {
		want = append(want, name)
		stored, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Errorf("%v; run: go generate ./manifests", err)
			continue
		}
		if diff := cmp.Diff(string(content), string(stored)); diff != "" {
			t.Errorf("%s is not current; run: go generate ./manifests\n(-generated +stored)\n%s", name, diff)
		}
	}
	for _, pattern := range []string{"iam/*.json", "slack/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			have = append(have, filepath.ToSlash(file))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("other files are stored than are generated (-generated +stored)\n%s", diff)
	}
}
