package githubtest

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// objects is a repository's store, addressed by content exactly as git's: every SHA here is what git would say.
// https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
type objects map[string]*object

type object struct {
	kind   string // blob, tree or commit
	data   []byte
	commit *commit // what a commit says, read once
}

var wholeSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// put stores an object and returns its SHA; one that is there stays.
func (o objects) put(kind string, data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	sha := hex.EncodeToString(h.Sum(nil))
	if o[sha] == nil {
		o[sha] = &object{kind: kind, data: data}
	}
	return sha
}

// get is the content of an object of that kind.
func (o objects) get(kind, sha string) ([]byte, bool) {
	found := o[sha]
	if found == nil || found.kind != kind {
		return nil, false
	}
	return found.data, true
}

// signature is who did something to a repository, and when; its offset from UTC is kept.
type signature struct {
	name, email string
	at          time.Time
}

func (s signature) String() string {
	clean := strings.NewReplacer("<", "", ">", "", "\n", "")
	return fmt.Sprintf("%s <%s> %d %s", clean.Replace(s.name), clean.Replace(s.email), s.at.Unix(), s.at.Format("-0700"))
}

func (s signature) json() map[string]any {
	return map[string]any{"name": s.name, "email": s.email, "date": stamp(s.at)}
}

func parseSignature(line string) signature {
	name, rest, _ := strings.Cut(line, " <")
	email, when, _ := strings.Cut(rest, "> ")
	seconds, zone, _ := strings.Cut(when, " ")
	unix, _ := strconv.ParseInt(seconds, 10, 64)
	at := time.Unix(unix, 0).UTC()
	if offset, err := time.Parse("-0700", zone); err == nil {
		at = at.In(offset.Location())
	}
	return signature{name: name, email: email, at: at}
}

type commit struct {
	sha, tree         string
	parents           []string
	author, committer signature
	message           string
}

// putCommit stores a commit and returns its SHA. The message is kept as it is: unlike `git commit`, GitHub adds no newline.
func (o objects) putCommit(c commit) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.tree)
	for _, parent := range c.parents {
		fmt.Fprintf(&b, "parent %s\n", parent)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s", c.author, c.committer, c.message)
	return o.put("commit", b.Bytes())
}

// commit is the commit of that SHA; nil where there's none.
func (o objects) commit(sha string) *commit {
	found := o[sha]
	if found == nil || found.kind != "commit" {
		return nil
	}
	if found.commit != nil {
		return found.commit
	}
	head, message, _ := strings.Cut(string(found.data), "\n\n")
	c := &commit{sha: sha, message: message}
	for line := range strings.SplitSeq(head, "\n") {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "tree":
			c.tree = value
		case "parent":
			c.parents = append(c.parents, value)
		case "author":
			c.author = parseSignature(value)
		case "committer":
			c.committer = parseSignature(value)
		}
	}
	found.commit = c
	return c
}

// history is a commit and everything before it.
func (o objects) history(sha string) map[string]bool {
	seen := map[string]bool{}
	for todo := []string{sha}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c := o.commit(next); c != nil && !seen[next] {
			seen[next] = true
			todo = append(todo, c.parents...)
		}
	}
	return seen
}

// mergeBase is the best common ancestor of two commits, the youngest of several; empty where they share no history.
// https://git-scm.com/docs/git-merge-base
func (o objects) mergeBase(a, b string) string {
	ours, common := o.history(a), map[string]bool{}
	for sha := range o.history(b) {
		if ours[sha] {
			common[sha] = true
		}
	}
	inner := map[string]bool{}
	for sha := range common {
		for _, parent := range o.commit(sha).parents {
			inner[parent] = true
		}
	}
	best := ""
	for sha := range common {
		if inner[sha] {
			continue
		}
		if best == "" || o.younger(sha, best) {
			best = sha
		}
	}
	return best
}

func (o objects) younger(a, b string) bool {
	at, than := o.commit(a).committer.at, o.commit(b).committer.at
	return at.After(than) || at.Equal(than) && a > b
}

// between is the commits that head has and base hasn't, every parent before its children.
func (o objects) between(base, head string) []*commit {
	known := o.history(base)
	var list []*commit
	type visit struct {
		sha  string
		done bool
	}
	for todo := []visit{{sha: head}}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c := o.commit(v.sha)
		if v.done {
			list = append(list, c)
			continue
		}
		if known[v.sha] || c == nil {
			continue
		}
		known[v.sha] = true
		todo = append(todo, visit{v.sha, true})
		for i := len(c.parents) - 1; i >= 0; i-- {
			todo = append(todo, visit{sha: c.parents[i]})
		}
	}
	return list
}
