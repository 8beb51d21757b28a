package githubtest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const (
	modeFile       = "100644"
	modeExecutable = "100755"
	modeLink       = "120000" // a symbolic link, whose blob is its target
	modeDirectory  = "40000"  // as git stores it; GitHub's API writes 040000
)

// entry is one name in a tree, or, in a listing, one path below it.
type entry struct{ mode, sha string }

// listing is every file below a tree, by its whole path.
type listing map[string]entry

// entries is what a tree itself holds, by name.
func (o objects) entries(sha string) map[string]entry {
	list := map[string]entry{}
	data, _ := o.get("tree", sha)
	for len(data) > 0 {
		head, rest, _ := bytes.Cut(data, []byte{0})
		mode, name, _ := strings.Cut(string(head), " ")
		list[name] = entry{mode: mode, sha: hex.EncodeToString(rest[:20])}
		data = rest[20:]
	}
	return list
}

// listing is every file below a tree.
func (o objects) listing(sha string) listing {
	files := listing{}
	for name, e := range o.entries(sha) {
		if e.mode != modeDirectory {
			files[name] = e
			continue
		}
		for below, file := range o.listing(e.sha) {
			files[name+"/"+below] = file
		}
	}
	return files
}

// putTree stores the trees that the files make and returns the topmost. Directories without files don't exist, as in git.
func (o objects) putTree(files listing) string {
	names, below := map[string]entry{}, map[string]listing{}
	for path, e := range files {
		directory, rest, found := strings.Cut(path, "/")
		if !found {
			names[path] = e
			continue
		}
		if below[directory] == nil {
			below[directory] = listing{}
		}
		below[directory][rest] = e
	}
	for directory, files := range below {
		names[directory] = entry{mode: modeDirectory, sha: o.putTree(files)}
	}
	var b bytes.Buffer
	for _, name := range inOrder(names) {
		sha, err := hex.DecodeString(names[name].sha)
		if err != nil {
			panic(fmt.Sprintf("githubtest: tree entry %q: %v", name, err))
		}
		fmt.Fprintf(&b, "%s %s\x00%s", names[name].mode, name, sha)
	}
	return o.put("tree", b.Bytes())
}

// inOrder is the names of a tree in git's order: directories as if they ended in a slash.
func inOrder(names map[string]entry) []string {
	key := func(name string) string {
		if names[name].mode == modeDirectory {
			return name + "/"
		}
		return name
	}
	return slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Compare(key(a), key(b)) })
}

// set puts a file where it belongs: what was a directory of that name, or a file where now a directory is, goes.
func (l listing) set(path string, e entry) {
	l.remove(path)
	for i, r := range path {
		if r == '/' {
			delete(l, path[:i])
		}
	}
	l[path] = e
}

// remove takes away the file, or all files of the directory, and reports whether there was one.
func (l listing) remove(path string) bool {
	before := len(l)
	maps.DeleteFunc(l, func(name string, _ entry) bool { return name == path || strings.HasPrefix(name, path+"/") })
	return len(l) < before
}

// at is the file or the directory at a path below a tree.
func (o objects) at(tree, path string) (entry, bool) {
	e := entry{mode: modeDirectory, sha: tree}
	if path == "" {
		return e, true
	}
	for name := range strings.SplitSeq(path, "/") {
		if e.mode != modeDirectory {
			return entry{}, false
		}
		next, ok := o.entries(e.sha)[name]
		if !ok {
			return entry{}, false
		}
		e = next
	}
	return e, true
}

// badPath is why a path can't be in a tree, in GitHub's words; empty: it can.
func badPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return "cannot start with a slash"
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") || strings.ContainsRune(name, 0) {
			return "contains a malformed path component"
		}
	}
	return ""
}

// treeAsked is one entry of a tree to be. A sha that is null takes the path away; one that isn't there is another thing.
type treeAsked struct {
	Path    *string          `json:"path"`
	Mode    string           `json:"mode"`
	Type    string           `json:"type"`
	SHA     nullable[string] `json:"sha"`
	Content *string          `json:"content"`
}

func createTree(s *Server, r *request) answer {
	in := r.repository
	var asked struct {
		Base    *string     `json:"base_tree"`
		Entries []treeAsked `json:"tree"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if len(asked.Entries) == 0 {
		return r.unprocessable("Invalid tree info")
	}
	files := listing{}
	if asked.Base != nil {
		base, ok := in.treeOf(*asked.Base)
		if !ok {
			return r.unprocessable("base_tree is not a valid tree oid")
		}
		files = in.objects.listing(base)
	}
	for _, e := range asked.Entries {
		if bad, ok := in.apply(s, r, files, e); !ok {
			return bad
		}
	}
	sha := in.objects.putTree(files)
	a := answer{status: http.StatusCreated, body: in.tree(s, sha, sha, false)}
	a.set("Location", in.api(s)+"/git/trees/"+sha)
	return a
}

// apply does to the files what one entry says.
func (in *repository) apply(s *Server, r *request, files listing, e treeAsked) (answer, bool) {
	if e.Path == nil || *e.Path == "" {
		return r.unprocessable("tree.path is missing"), false
	}
	path := *e.Path
	if why := badPath(path); why != "" {
		return r.unprocessable("tree.path " + why), false
	}
	switch {
	case e.SHA.set && e.SHA.value == nil && e.Content == nil:
		return r.unprocessable("GitRPC::BadObjectState"), files.remove(path)
	case e.Content != nil && e.SHA.value != nil:
		return r.unprocessable("Must supply either tree.sha or tree.content, not both"), false
	case e.Content == nil && e.SHA.value == nil:
		return r.unprocessable("Must supply tree.sha or tree.content"), false
	}
	switch kind := map[string]string{modeFile: "blob", modeExecutable: "blob", "0" + modeDirectory: "tree"}[e.Mode]; {
	case e.Mode == modeLink, e.Mode == "160000":
		s.problem("%s %s: githubtest makes no symbolic links and submodules (mode %s)", r.Method, r.URL.Path, e.Mode)
		return r.unprocessable("Must supply a valid tree.mode"), false
	case kind == "":
		return r.unprocessable("Must supply a valid tree.mode"), false
	case e.Type != "" && e.Type != kind:
		return r.unprocessable("tree.type " + e.Type + " does not match tree.mode " + e.Mode), false
	case kind == "tree":
		if e.Content != nil {
			return r.unprocessable("Must supply a valid tree.sha"), false
		}
		if _, ok := in.objects.get("tree", *e.SHA.value); !ok {
			return r.unprocessable("tree.sha " + *e.SHA.value + " is not a valid tree"), false
		}
		files.remove(path)
		for below, file := range in.objects.listing(*e.SHA.value) {
			files.set(path+"/"+below, file)
		}
	case e.Content != nil:
		files.set(path, entry{mode: e.Mode, sha: in.objects.put("blob", []byte(*e.Content))})
	default:
		if _, ok := in.objects.get("blob", *e.SHA.value); !ok {
			return r.unprocessable("tree.sha " + *e.SHA.value + " is not a valid blob"), false
		}
		files.set(path, entry{mode: e.Mode, sha: *e.SHA.value})
	}
	return answer{}, true
}

// treeOf is the tree that a SHA names: its own, or its commit's.
func (in *repository) treeOf(sha string) (string, bool) {
	if c := in.objects.commit(sha); c != nil {
		sha = c.tree
	}
	_, ok := in.objects.get("tree", sha)
	return sha, ok
}

// getTree takes a tree, a commit or a branch. The answer's own sha is what was named: a commit's for a commit or branch.
// https://docs.github.com/en/rest/git/trees#get-a-tree
func getTree(s *Server, r *request) answer {
	in, named := r.repository, r.parameters["sha"]
	if sha := in.resolve(named); sha != "" {
		named = sha
	}
	sha, ok := in.treeOf(named)
	if !ok {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: in.tree(s, named, sha, r.URL.Query().Has("recursive"))}
}

// tree is a tree and what it holds, with everything below where that is asked for.
func (in *repository) tree(s *Server, named, sha string, recursive bool) map[string]any {
	list := []map[string]any{}
	var add func(prefix, sha string)
	add = func(prefix, sha string) {
		names := in.objects.entries(sha)
		for _, name := range inOrder(names) {
			e := names[name]
			m := map[string]any{"path": prefix + name, "mode": e.mode, "type": "blob", "sha": e.sha, "url": in.api(s) + "/git/blobs/" + e.sha}
			if data, ok := in.objects.get("blob", e.sha); ok {
				m["size"] = len(data)
			} else {
				m["mode"], m["type"], m["url"] = "0"+modeDirectory, "tree", in.api(s)+"/git/trees/"+e.sha
			}
			list = append(list, m)
			if e.mode == modeDirectory && recursive {
				add(prefix+name+"/", e.sha)
			}
		}
	}
	add("", sha)
	return map[string]any{"sha": named, "url": in.api(s) + "/git/trees/" + named, "tree": list, "truncated": false}
}
