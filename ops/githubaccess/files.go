package githubaccess

import (
	"context"
	"fmt"
	"path"
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
	Text []byte // of a link: that of the file to which it leads

	Link   string // the file of the repository to which a symbolic link leads; empty: it is none, or leads to none
	Unseen string // why there is no text, in words that follow "is"; empty: there is
}

const (
	// modeLink is git's mode of a symbolic link: its blob is the path to which it leads.
	// https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects
	modeLink = "120000"
	// mostLinks is how many links that lead to links are followed.
	mostLinks = 5
)

// fewAtATime is how many files are read at a time.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const fewAtATime = 4

// Read reads those of a repository's files ("owner/name") at a commit or branch that
// choose picks, given the paths of all. A symbolic link is followed within the repository.
// Where GitHub doesn't list all files, it is an *ops.Error.
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
	l := lookup{client: client, owner: owner, name: name, blobs: map[string]*github.TreeEntry{}, texts: map[string][]byte{}}
	var files []File
	for _, entry := range tree.Entries {
		if entry.GetType() != "blob" {
			continue
		}
		l.blobs[entry.GetPath()] = entry
		if wanted(entry.GetPath()) {
			files = append(files, File{Path: entry.GetPath(), Mode: entry.GetMode()})
		}
	}
	f.mu.Lock()
	l.had = f.texts[repository]
	f.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fewAtATime)
	for i := range files {
		group.Go(func() error { return l.read(ctx, &files[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	f.keep(repository, l.texts)
	return files, nil
}

// lookup reads files of one commit.
type lookup struct {
	client      *github.Client
	owner, name string
	blobs       map[string]*github.TreeEntry // by path
	had         map[string][]byte            // texts from before, by SHA

	mu    sync.Mutex
	texts map[string][]byte // those of now
}

// read reads a file, or the one to which it leads.
func (l *lookup) read(ctx context.Context, file *File) error {
	at := file.Path
	for range mostLinks {
		entry := l.blobs[at]
		if entry == nil {
			file.Unseen = fmt.Sprintf("a symbolic link to %s, which is no file of the repository", at)
			return nil
		}
		text, err := l.text(ctx, at, entry.GetSHA())
		if err != nil {
			return err
		}
		if entry.GetMode() != modeLink {
			file.Text = text
			if at != file.Path {
				file.Link = at
			}
			return nil
		}
		target := string(text)
		if path.IsAbs(target) {
			at = target
		} else {
			at = path.Join(path.Dir(at), target)
		}
	}
	file.Unseen = "a symbolic link that leads from link to link"
	return nil
}

func (l *lookup) text(ctx context.Context, at, sha string) ([]byte, error) {
	l.mu.Lock()
	text, ok := l.texts[sha]
	l.mu.Unlock()
	if ok {
		return text, nil
	}
	if text, ok = l.had[sha]; !ok {
		var err error
		if text, _, err = l.client.Git.GetBlobRaw(ctx, l.owner, l.name, sha); err != nil {
			return nil, fmt.Errorf("read %s: %w", at, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts[sha] = text
	return text, nil
}

func (f *Files) keep(repository string, texts map[string][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = map[string]map[string][]byte{}
	}
	f.texts[repository] = texts
}
