// The link that the terminal prints has the word behind a #, which no server and no log ever sees.
addEventListener("hashchange", logIn); // it is pasted where this page is open
logIn();

function logIn() {
  const word = decodeURIComponent(location.hash.slice(1));
  if (!word) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("word").value = word;
  document.getElementById("log-in").submit();
}
