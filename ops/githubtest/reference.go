package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	heads      = "refs/heads/"
	tags       = "refs/tags/"
	pulls      = "refs/pull/"
	malformed  = "The sha parameter must be exactly 40 characters and contain only [0-9a-f]."
	noSuchRef  = "Reference does not exist"
	noSuchSHA  = "Object does not exist"
	refusedRef = "Reference update failed"
)

var (
	badRef   = regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.$|/$|\.lock(/|$)`)
	shortSHA = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// tip is the commit at a branch's head; empty where there's no such branch.
func (in *repository) tip(branch string) string { return in.refs[heads+branch] }

// resolve is the commit that a branch, a tag, a full reference or a SHA (whole or its beginning) names; empty: the
// default branch's. It is empty where there's none.
func (in *repository) resolve(ref string) string {
	if ref == "" {
		ref = in.defaultBranch
	}
	for _, prefix := range []string{heads, tags, "refs/", ""} {
		if sha := in.refs[prefix+ref]; sha != "" {
			return sha
		}
	}
	if !shortSHA.MatchString(ref) {
		return ""
	}
	found := ""
	for sha, o := range in.objects {
		if o.kind == "commit" && strings.HasPrefix(sha, ref) {
			if found != "" {
				return ""
			}
			found = sha
		}
	}
	return found
}

// commitAt is the commit that resolve finds; nil where there's none.
func (in *repository) commitAt(ref string) *commit { return in.objects.commit(in.resolve(ref)) }

func (in *repository) reference(s *Server, ref string) map[string]any {
	kind, sha := "", in.refs[ref]
	if o := in.objects[sha]; o != nil {
		kind = o.kind
	}
	return map[string]any{
		"ref":     ref,
		"node_id": node("Ref", in.id) + "6" + ref,
		"url":     in.api(s) + "/git/" + ref,
		"object":  map[string]any{"sha": sha, "type": kind, "url": in.api(s) + "/git/" + kind + "s/" + sha},
	}
}

func getReference(s *Server, r *request) answer {
	ref := "refs/" + r.parameters["ref"]
	if r.repository.refs[ref] == "" {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: r.repository.reference(s, ref)}
}

// listMatchingReferences is every reference that begins so, in one page.
func listMatchingReferences(s *Server, r *request) answer {
	list := []map[string]any{}
	for _, ref := range slices.Sorted(maps.Keys(r.repository.refs)) {
		if strings.HasPrefix(ref, "refs/"+r.parameters["ref"]) {
			list = append(list, r.repository.reference(s, ref))
		}
	}
	return answer{status: http.StatusOK, body: list}
}

func createReference(s *Server, r *request) answer {
	in := r.repository
	var asked struct {
		Ref *string `json:"ref"`
		SHA *string `json:"sha"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("ref", asked.Ref != nil, "sha", asked.SHA != nil); !ok {
		return bad
	}
	ref, sha := *asked.Ref, *asked.SHA
	switch {
	case !strings.HasPrefix(ref, "refs/") || strings.Count(ref, "/") < 2:
		return r.unprocessable("Reference name must start with 'refs/' and contain at least two slashes.")
	case badRef.MatchString(ref):
		return r.unprocessable(fmt.Sprintf("%s is not a valid ref name.", ref))
	case !wholeSHA.MatchString(sha):
		return r.unprocessable(malformed)
	case in.objects[sha] == nil:
		return r.unprocessable(noSuchSHA)
	case in.refs[ref] != "":
		return r.unprocessable("Reference already exists")
	case !in.mayHold(ref, sha):
		return r.unprocessable(refusedRef)
	}
	in.refs[ref] = sha
	a := answer{status: http.StatusCreated, body: in.reference(s, ref)}
	a.set("Location", in.api(s)+"/git/"+ref)
	return a
}

// mayHold reports whether a new reference may be there: branches and tags only, branches at commits only, and none where
// a directory of another's name would be.
func (in *repository) mayHold(ref, sha string) bool {
	branch := strings.HasPrefix(ref, heads)
	if !branch && !strings.HasPrefix(ref, tags) || branch && in.objects.commit(sha) == nil {
		return false
	}
	for other := range in.refs {
		if strings.HasPrefix(other, ref+"/") || strings.HasPrefix(ref, other+"/") {
			return false
		}
	}
	return true
}

func updateReference(s *Server, r *request) answer {
	in, ref := r.repository, "refs/"+r.parameters["ref"]
	var asked struct {
		SHA   *string `json:"sha"`
		Force bool    `json:"force"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("sha", asked.SHA != nil); !ok {
		return bad
	}
	sha := *asked.SHA
	branch, isBranch := strings.CutPrefix(ref, heads)
	switch {
	case !wholeSHA.MatchString(sha):
		return r.unprocessable(malformed)
	case in.refs[ref] == "":
		return r.unprocessable(noSuchRef)
	case in.objects[sha] == nil:
		return r.unprocessable(noSuchSHA)
	case strings.HasPrefix(ref, pulls), isBranch && in.objects.commit(sha) == nil:
		return r.unprocessable(refusedRef)
	case !asked.Force && !in.objects.history(sha)[in.refs[ref]]:
		return r.unprocessable("Update is not a fast forward")
	}
	in.refs[ref] = sha
	if isBranch {
		s.moved(in, branch, s.actor(r.who))
	}
	return answer{status: http.StatusOK, body: in.reference(s, ref)}
}

func deleteReference(s *Server, r *request) answer {
	in, ref := r.repository, "refs/"+r.parameters["ref"]
	branch, isBranch := strings.CutPrefix(ref, heads)
	switch {
	case in.refs[ref] == "":
		return r.unprocessable(noSuchRef)
	case strings.HasPrefix(ref, pulls), branch == in.defaultBranch:
		return r.unprocessable(refusedRef)
	}
	delete(in.refs, ref)
	if isBranch {
		s.moved(in, branch, s.actor(r.who))
	}
	return answer{status: http.StatusNoContent}
}

func listBranches(s *Server, r *request) answer {
	if protected := r.URL.Query().Get("protected"); protected == "true" {
		return page(s, r, r.repository.numeric("branches"), nil)
	}
	var list []map[string]any
	for _, name := range r.repository.branches() {
		sha := r.repository.tip(name)
		list = append(list, map[string]any{
			"name":      name,
			"commit":    map[string]any{"sha": sha, "url": r.repository.api(s) + "/commits/" + sha},
			"protected": false,
		})
	}
	return page(s, r, r.repository.numeric("branches"), list)
}

func getBranch(s *Server, r *request) answer {
	in, name := r.repository, r.parameters["branch"]
	tip := in.objects.commit(in.tip(name))
	if to := in.renamed[name]; to != "" && tip == nil && in.tip(to) != "" {
		a := answer{status: http.StatusMovedPermanently, body: map[string]any{
			"message": "Moved Permanently", "url": s.url + in.numeric("branches/"+to), "documentation_url": r.route.doc,
		}}
		a.set("Location", s.url+in.numeric("branches/"+to))
		return a
	}
	if tip == nil {
		return refuse(http.StatusNotFound, "Branch not found", r.route.doc)
	}
	url := in.api(s) + "/branches/" + name
	return answer{status: http.StatusOK, body: map[string]any{
		"name":           name,
		"commit":         in.fullCommit(s, tip),
		"_links":         map[string]any{"self": url, "html": in.html() + "/tree/" + name},
		"protected":      false,
		"protection":     map[string]any{"enabled": false, "required_status_checks": map[string]any{"enforcement_level": "off", "contexts": []string{}, "checks": []string{}}},
		"protection_url": url + "/protection",
	}}
}
