package githubaccess

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/google/go-github/v62/github"
	"golang.org/x/sync/errgroup"

	"github.com/aws-root-account/rootbot/ops"
)

// Files reads files of repositories. It keeps what it read last of each repository,
// by GitHub's SHA, which tells a text for ever: an operation makes its plan many
// times. The zero value has read nothing. Its methods may be called from several
// goroutines.
type Files struct {
	mu    sync.Mutex
	texts map[string]map[string][]byte // by repository and SHA
}

// File is a file of a repository.
type File struct {
	Path string
	Mode string // as git has it: "100644"
	Text []byte
}

// fewAtATime is how many files are read at a time.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const fewAtATime = 4

// Read reads those of a repository's files ("owner/name") at a commit or branch that
// choose picks, given the paths of all. Where GitHub doesn't list all files, it is an
// *ops.Error.
func (f *Files) Read(ctx context.Context, client *github.Client, repository, at string, choose func(paths []string) func(path string) bool) ([]File, error) {
	owner, name, _ := strings.Cut(repository, "/")
	tree, _, err := client.Git.GetTree(ctx, owner, name, at, true)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", repository, err)
	}
	if tree.GetTruncated() {
		return nil, &ops.Error{Kind: ops.Unavailable, What: "It has so many files that GitHub doesn't list them all."}
	}
	var paths []string
	for _, entry := range tree.Entries {
		if entry.GetType() == "blob" {
			paths = append(paths, entry.GetPath())
		}
	}
	wanted := choose(paths)
	var files []File
	var shas []string
	for _, entry := range tree.Entries {
		if entry.GetType() == "blob" && wanted(entry.GetPath()) {
			files, shas = append(files, File{Path: entry.GetPath(), Mode: entry.GetMode()}), append(shas, entry.GetSHA())
		}
	}
	f.mu.Lock()
	had := f.texts[repository]
	f.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fewAtATime)
	for i, sha := range shas {
		if text, ok := had[sha]; ok {
			files[i].Text = text
			continue
		}
		group.Go(func() error {
			text, _, err := client.Git.GetBlobRaw(ctx, owner, name, sha)
			if err != nil {
				return fmt.Errorf("read %s: %w", files[i].Path, err)
			}
			files[i].Text = text
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	f.keep(repository, shas, files)
	return files, nil
}

func (f *Files) keep(repository string, shas []string, files []File) {
	texts := map[string][]byte{}
	for i, sha := range shas {
		texts[sha] = files[i].Text
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = map[string]map[string][]byte{}
	}
	f.texts[repository] = texts
}
