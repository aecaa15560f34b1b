"""The page at ``/``: which endpoints there are."""

# The page has neither style nor script, so nothing is allowed at all.
PAGE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Example studio</title>
<h1>Example studio</h1>
<p>A small generation service that bills through the portal. Call it with your API key:
<code>Authorization: Bearer bpk_…</code>. Its README lists the fields.</p>
<ul>
<li><code>POST /v1/ads/generate</code>: an advertisement, <code>static</code> or <code>full</code></li>
<li><code>POST /v1/images/generate</code>: images from a prompt</li>
<li><code>POST /v1/images/process</code>: resize, crop, rotate, flip, convert</li>
<li><code>POST /v1/videos/generate</code>: a short animated preview from a prompt</li>
<li><code>GET /v1/jobs/{id}</code>, <code>GET /v1/results/{file}</code>: kept for one hour</li>
</ul>
<p>Add <code>?dryRun=true</code> to any POST to get the estimate and nothing else.</p>
</html>
""".encode()
