// Part of every page. The scripts are asked for once the page's frame was shown, which is so sooner; a page that nobody
// sees yet, as in a tab behind, is never shown and does not wait.
const start = () => {
  for (const file of FILES) {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href: `assets/VERSION/${file}` }));
  }
  import('./assets/VERSION/MAIN').catch(() => { document.getElementById('broken').hidden = false; });
};
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
