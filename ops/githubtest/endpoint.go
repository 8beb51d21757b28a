package githubtest

import "net/http"

// repositoryRoutes is every endpoint below a repository, by its name and by its number.
func repositoryRoutes() []route {
	const get, post, patch, put, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete
	const metadata, read, write = "metadata:read", "contents:read", "contents:write"
	const reviews, asks = "pull_requests:read", "pull_requests:write"
	list := []route{
		{method: get, path: "", needs: metadata, doc: "repos/repos#get-a-repository", handle: getRepository},

		{method: get, path: "/git/ref/{ref...}", needs: read, doc: "git/refs#get-a-reference", handle: getReference},
		{method: get, path: "/git/matching-refs/{ref...}", needs: read, doc: "git/refs#list-matching-references", handle: listMatchingReferences},
		{method: post, path: "/git/refs", needs: write, doc: "git/refs#create-a-reference", handle: createReference},
		{method: patch, path: "/git/refs/{ref...}", needs: write, doc: "git/refs#update-a-reference", handle: updateReference},
		{method: del, path: "/git/refs/{ref...}", needs: write, doc: "git/refs#delete-a-reference", handle: deleteReference},
		{method: get, path: "/branches", needs: read, doc: "branches/branches#list-branches", handle: listBranches},
		{method: get, path: "/branches/{branch...}", needs: read, doc: "branches/branches#get-a-branch", handle: getBranch},

		{method: get, path: "/contents", needs: read, doc: "repos/contents#get-repository-content", handle: getContent},
		{method: get, path: "/contents/", needs: read, doc: "repos/contents#get-repository-content", handle: getContent},
		{method: get, path: "/contents/{path...}", needs: read, doc: "repos/contents#get-repository-content", handle: getContent},
		{method: put, path: "/contents/{path...}", needs: write, doc: "repos/contents#create-or-update-file-contents", handle: putContent},
		{method: del, path: "/contents/{path...}", needs: write, doc: "repos/contents#delete-a-file", handle: deleteContent},

		{method: post, path: "/git/blobs", needs: write, doc: "git/blobs#create-a-blob", handle: createBlob},
		{method: get, path: "/git/blobs/{sha}", needs: read, doc: "git/blobs#get-a-blob", handle: getBlob},
		{method: post, path: "/git/trees", needs: write, doc: "git/trees#create-a-tree", handle: createTree},
		{method: get, path: "/git/trees/{sha...}", needs: read, doc: "git/trees#get-a-tree", handle: getTree},
		{method: post, path: "/git/commits", needs: write, doc: "git/commits#create-a-commit", handle: createGitCommit},
		{method: get, path: "/git/commits/{sha}", needs: read, doc: "git/commits#get-a-commit-object", handle: getGitCommit},
		{method: get, path: "/commits/{ref...}", needs: read, doc: "commits/commits#get-a-commit", handle: getCommit},
		{method: get, path: "/compare/{basehead...}", needs: read, doc: "commits/commits#compare-two-commits", handle: compareCommits},

		{method: post, path: "/pulls", needs: asks, doc: "pulls/pulls#create-a-pull-request", handle: createPull},
		{method: get, path: "/pulls", needs: reviews, doc: "pulls/pulls#list-pull-requests", handle: listPulls},
		{method: get, path: "/pulls/{number}", needs: reviews, doc: "pulls/pulls#get-a-pull-request", handle: getPull},
		{method: patch, path: "/pulls/{number}", needs: asks, doc: "pulls/pulls#update-a-pull-request", handle: updatePull},
		{method: get, path: "/pulls/{number}/files", needs: reviews, doc: "pulls/pulls#list-pull-requests-files", handle: listPullFiles},
		{method: get, path: "/pulls/{number}/commits", needs: reviews, doc: "pulls/pulls#list-commits-on-a-pull-request", handle: listPullCommits},
		{method: get, path: "/pulls/{number}/merge", needs: reviews + "|" + read, doc: "pulls/pulls#check-if-a-pull-request-has-been-merged", handle: getMerged},
		{method: put, path: "/pulls/{number}/merge", needs: write, doc: "pulls/pulls#merge-a-pull-request", handle: mergePull},
		{method: post, path: "/pulls/{number}/requested_reviewers", needs: asks, doc: "pulls/review-requests#request-reviewers-for-a-pull-request", handle: requestReviewers},
		{method: get, path: "/issues/{number}", needs: "issues:read|" + reviews, doc: "issues/issues#get-an-issue", handle: getIssue},
		{method: get, path: "/issues/{number}/comments", needs: "issues:read|" + reviews, doc: "issues/comments#list-issue-comments", handle: listComments},
		{method: post, path: "/issues/{number}/comments", needs: "issues:write|" + asks, readers: true, doc: "issues/comments#create-an-issue-comment", handle: createComment},
	}
	var all []route
	for _, prefix := range []string{"/repos/{owner}/{repo}", "/repositories/{repo_id}"} {
		for _, to := range list {
			to.path = prefix + to.path
			all = append(all, to)
		}
	}
	return all
}
