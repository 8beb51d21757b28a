package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// compareCommits takes base...head, each a branch, a tag or a SHA, perhaps with the owner before it.
// https://docs.github.com/en/rest/commits/commits#compare-two-commits
func compareCommits(s *Server, r *request) answer {
	in := r.repository
	if r.wants("diff") || r.wants("patch") {
		return r.unknown(s)
	}
	from, to, found := strings.Cut(r.parameters["basehead"], "...")
	base, head := in.commitAt(in.local(from)), in.commitAt(in.local(to))
	if !found || base == nil || head == nil {
		return r.notFound()
	}
	fork := in.objects.commit(in.objects.mergeBase(base.sha, head.sha))
	if fork == nil {
		return refuse(http.StatusNotFound, fmt.Sprintf("No common ancestor between %s and %s.", from, to), r.route.doc)
	}
	ahead, behind := in.objects.between(base.sha, head.sha), in.objects.between(head.sha, base.sha)
	var commits, files []map[string]any
	for _, c := range ahead {
		commits = append(commits, in.fullCommit(s, c))
	}
	for _, change := range in.objects.changes(fork.tree, head.tree) {
		files = append(files, change.json(s, in, head.sha))
	}
	a := answer{status: http.StatusOK, body: append([]map[string]any{}, commits[:min(len(commits), 250)]...)}
	if query := r.URL.Query(); query.Has("page") || query.Has("per_page") {
		a = page(s, r, in.numeric("compare/"+r.parameters["basehead"]), commits)
		if number(query.Get("page"), 1) > 1 {
			files = nil
		}
	}
	status := "diverged"
	switch {
	case len(ahead) == 0 && len(behind) == 0:
		status = "identical"
	case len(behind) == 0:
		status = "ahead"
	case len(ahead) == 0:
		status = "behind"
	}
	a.body = map[string]any{
		"url":               in.api(s) + "/compare/" + r.parameters["basehead"],
		"html_url":          in.html() + "/compare/" + r.parameters["basehead"],
		"base_commit":       in.fullCommit(s, base),
		"merge_base_commit": in.fullCommit(s, fork),
		"status":            status,
		"ahead_by":          len(ahead),
		"behind_by":         len(behind),
		"total_commits":     len(ahead),
		"commits":           a.body,
		"files":             append([]map[string]any{}, files[:min(len(files), 300)]...),
	}
	return a
}

// local is a reference without the owner before it. Another's stays, and so is found nowhere: there are no forks here.
func (in *repository) local(ref string) string {
	if owner, branch, found := strings.Cut(ref, ":"); found && strings.EqualFold(owner, in.owner) {
		return cmp.Or(branch, " ")
	}
	return cmp.Or(ref, " ")
}
