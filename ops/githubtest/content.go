package githubtest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

const (
	largestContent = 1 << 20   // what an answer holds of a file
	largestFile    = 100 << 20 // what there's an answer for
)

// encoded is base64 in lines, as GitHub sends it.
func encoded(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(text) > 0 {
		n := min(60, len(text))
		b.WriteString(text[:n])
		b.WriteByte('\n')
		text = text[n:]
	}
	return b.String()
}

// content is a file or directory without what's in it.
func (in *repository) content(s *Server, ref, at string, e entry) map[string]any {
	kind, object, size := "file", "blobs", 0
	if e.mode == modeDirectory {
		kind, object = "dir", "trees"
	}
	if data, ok := in.objects.get("blob", e.sha); ok {
		size = len(data)
	}
	escaped := (&url.URL{Path: at}).EscapedPath()
	api := in.api(s) + "/contents/" + escaped + "?ref=" + url.QueryEscape(ref)
	git := in.api(s) + "/git/" + object + "/" + e.sha
	html := fmt.Sprintf("%s/%s/%s/%s", in.html(), map[string]string{"file": "blob", "dir": "tree"}[kind], ref, escaped)
	m := map[string]any{
		"type": kind, "size": size, "name": path.Base(at), "path": at, "sha": e.sha,
		"url": api, "git_url": git, "html_url": html, "download_url": nil,
		"_links": map[string]any{"self": api, "git": git, "html": html},
	}
	if kind == "file" {
		m["download_url"] = fmt.Sprintf("https://raw.githubusercontent.com/%s/%s/%s", in.fullName(), ref, escaped)
	}
	return m
}

// getContent answers with a file, or with a directory as an array. A file of more than 1 MB has no content, an empty
// encoding "none", and is to be had as raw or as a blob. A symbolic link to a file is that file; to anything else it is told.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
func getContent(s *Server, r *request) answer {
	in, at := r.repository, strings.TrimSuffix(r.parameters["path"], "/")
	ref := r.URL.Query().Get("ref")
	c := in.commitAt(ref)
	if c == nil {
		return refuse(http.StatusNotFound, "No commit found for the ref "+ref, r.route.doc)
	}
	if ref == "" {
		ref = in.defaultBranch
	}
	e, ok := in.objects.at(c.tree, at)
	if !ok {
		return r.notFound()
	}
	if e.mode == modeDirectory {
		names := in.objects.entries(e.sha)
		list := []map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			list = append(list, in.content(s, ref, path.Join(at, name), names[name]))
		}
		return answer{status: http.StatusOK, body: list[:min(len(list), 1000)]}
	}
	data, _ := in.objects.get("blob", e.sha)
	if e.mode == modeLink {
		to, ok := in.objects.at(c.tree, path.Join(path.Dir(at), string(data)))
		if !ok || to.mode == modeDirectory || to.mode == modeLink {
			m := in.content(s, ref, at, e)
			m["type"], m["target"] = "symlink", string(data)
			return answer{status: http.StatusOK, body: m}
		}
		e = to
		data, _ = in.objects.get("blob", e.sha)
	}
	if len(data) > largestFile {
		a := refuse(http.StatusForbidden, "This API returns blobs up to 100 MB in size. The requested blob is too large to fetch via the API.", r.route.doc)
		a.body.(map[string]any)["errors"] = []any{faulty("Blob", "data", "too_large")}
		return a
	}
	if r.wants("raw") {
		return whole("raw", data)
	}
	m := in.content(s, ref, at, e)
	m["content"], m["encoding"] = encoded(data), "base64"
	if len(data) > largestContent {
		m["content"], m["encoding"] = "", "none"
	}
	return answer{status: http.StatusOK, body: m}
}

// contentAsked is what the calls that change one file have in common.
type contentAsked struct {
	Message   *string `json:"message"`
	Content   *string `json:"content"`
	SHA       *string `json:"sha"`
	Branch    string  `json:"branch"`
	Author    *person `json:"author"`
	Committer *person `json:"committer"`
}

// putContent makes or changes one file in a commit of its own. A file that is there wants the SHA of the blob that the
// client has seen (422 without, 409 with another's); for one that isn't there a SHA is of no account.
// https://docs.github.com/en/rest/repos/contents#create-or-update-file-contents
func putContent(s *Server, r *request) answer {
	return s.changeContent(r, "content", func(in *repository, files listing, at string, asked contentAsked) (answer, bool) {
		data, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(*asked.Content))
		if err != nil {
			return r.unprocessable("content is not valid Base64"), false
		}
		files.set(at, entry{mode: modeFile, sha: in.objects.put("blob", data)})
		return answer{}, true
	})
}

// deleteContent is putContent for the end of a file.
// https://docs.github.com/en/rest/repos/contents#delete-a-file
func deleteContent(s *Server, r *request) answer {
	return s.changeContent(r, "sha", func(_ *repository, files listing, at string, _ contentAsked) (answer, bool) {
		return r.notFound(), files.remove(at)
	})
}

// changeContent checks a call, lets it change the files, and commits.
func (s *Server) changeContent(r *request, demanded string, change func(*repository, listing, string, contentAsked) (answer, bool)) answer {
	in, at := r.repository, r.parameters["path"]
	var asked contentAsked
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	there := asked.Content != nil || demanded != "content"
	if demanded == "sha" {
		there = asked.SHA != nil
	}
	if bad, ok := r.supplied("message", asked.Message != nil, demanded, there); !ok {
		return bad
	}
	if why := badPath(at); why != "" {
		return r.unprocessable("path " + why)
	}
	if !asked.Author.complete() || !asked.Committer.complete() {
		return r.unprocessable("Invalid request.\n\n\"name\", \"email\" weren't supplied.")
	}
	branch := strings.TrimPrefix(asked.Branch, heads)
	if branch == "" {
		branch = in.defaultBranch
	}
	tip := in.objects.commit(in.tip(branch))
	if tip == nil {
		return refuse(http.StatusNotFound, "Branch "+branch+" not found", r.route.doc)
	}
	was, exists := in.objects.at(tip.tree, at)
	switch {
	case exists && was.mode == modeDirectory:
		return r.unprocessable(at + " is a directory")
	case exists && asked.SHA == nil:
		return r.unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
	case exists && *asked.SHA != was.sha:
		return refuse(http.StatusConflict, fmt.Sprintf("%s does not match %s", at, *asked.SHA), r.route.doc)
	}
	files := in.objects.listing(tip.tree)
	if bad, ok := change(in, files, at, asked); !ok {
		return bad
	}
	web := s.signature(s.actor(r.who))
	author := asked.Author.or(web)
	if asked.Author == nil && asked.Committer != nil {
		author = asked.Committer.or(web)
	}
	web.name, web.email = webFlowName, webFlowEmail
	c := in.objects.commit(in.objects.putCommit(commit{
		tree: in.objects.putTree(files), parents: []string{tip.sha}, author: author, committer: asked.Committer.or(web), message: *asked.Message,
	}))
	in.refs[heads+branch] = c.sha
	s.moved(in, branch, s.actor(r.who))

	body := map[string]any{"content": nil, "commit": in.gitCommit(s, c)}
	if e, ok := files[at]; ok {
		body["content"] = in.content(s, branch, at, e)
	}
	if !exists {
		return answer{status: http.StatusCreated, body: body}
	}
	return answer{status: http.StatusOK, body: body}
}
